/* SPDX-License-Identifier: BSD-2-Clause */
/* include/arch/cpu.h for RISC-V: harts, found by the firmware's tables and started by its SBI. What interrupts them: interrupts.c.
 */
#include "include/arch/cpu.h"

#include <stdio.h>

#include "boot/cpus.h"
#include "boot/riscv64/start.h"
#include "drivers/platform.h"
#include "drivers/riscv64/hart.h"
#include "drivers/riscv64/rintc.h"
#include "include/arch/machine.h"
#include "include/arch/riscv64/csr.h"
#include "include/arch/riscv64/insn.h"
#include "include/arch/riscv64/sbi.h"

_Static_assert(CPU_BLOCK_PAGES *PAGE_SIZE == BIT(CPU_BLOCK_SHIFT), "cpu_block.h");
_Static_assert(offsetof(struct hart_start, satp) == HART_START_SATP, "start.h");
_Static_assert(offsetof(struct hart_start, cpu) == HART_START_CPU, "start.h");
_Static_assert(sizeof(struct hart_start) == HART_START_SIZE, "start.h");

/* SBI 9.3 "Function: Hart get status" */
static bool is_started(uint64_t hart)
{
	struct sbi_result status = sbi_call(SBI_HSM, SBI_HSM_HART_STATUS, hart, 0, 0);

	return status.error == SBI_SUCCESS && status.value == SBI_HSM_STARTED;
}

static bool put_first(uint64_t *ids, unsigned count, uint64_t id)
{
	for (unsigned i = 0; i < count; i++) {
		if (ids[i] != id)
			continue;
		ids[i] = ids[0];
		ids[0] = id;
		return true;
	}
	return false;
}

/* Firmware that has not told which hart runs us starts no other: it is the one that has been started. */
static bool put_started_first(uint64_t *ids, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (is_started(ids[i]))
			return put_first(ids, count, ids[i]);
	}
	return false;
}

static unsigned find_by_acpi(uint64_t *ids, unsigned room)
{
	const struct platform *platform = platform_get();
	struct cpu_ids list = { .ids = ids, .room = room };

	if (!platform->acpi_rsdp || rintc_find(platform->acpi_rsdp, platform->acpi_reader, &list) != ERR_OK)
		return 0;
	return list.count;
}

unsigned arch_cpus_find(uint64_t *ids, unsigned room)
{
	const struct platform *platform = platform_get();
	unsigned count = hart_find(ids, room), kept;
	bool ours;

	hart_read_timebase();
	if (count == 0)
		count = find_by_acpi(ids, room);
	kept = count < room ? count : room;
	ours = platform->boot_hart_known ? put_first(ids, kept, platform->boot_hart) : put_started_first(ids, kept);
	if (ours || (count > 0 && !platform->boot_hart_known))
		return count;
	ids[0] = platform->boot_hart; /* the tables do not know it, so what they know is not of this machine */
	return 1;
}

enum err arch_cpus_prepare(void)
{
	return ERR_OK;
}

/* What a hart begins with is in the image. */
enum err arch_cpus_map(struct host_map *map)
{
	(void)map;
	return ERR_OK;
}

void arch_cpu_name(const struct cpu *cpu, char *text, size_t size)
{
	snprintf(text, size, "hart %lu", cpu->hw_id);
}

void arch_this_cpu_set(struct cpu *cpu)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	*(struct cpu **)align_down(here, BIT(CPU_BLOCK_SHIFT)) = cpu;
}

/* SBI 9.1 "Function: Hart start" */
enum err arch_cpu_start(struct cpu *cpu, void *stack_top)
{
	struct hart_start *start = (struct hart_start *)stack_top - 1;
	struct sbi_result result;

	*start = (struct hart_start){ .satp = csr_read(CSR_SATP), .cpu = cpu };
	fence();
	result = sbi_call(SBI_HSM, SBI_HSM_HART_START, cpu->hw_id, (uintptr_t)hart_start, (uintptr_t)start);
	switch (result.error) {
	case SBI_SUCCESS:
		return ERR_OK;
	case SBI_ERR_NOT_SUPPORTED:
		return ERR_UNSUPPORTED;
	default:
		return ERR_DENIED;
	}
}

_Noreturn void hart_started(struct cpu *cpu);

void hart_started(struct cpu *cpu)
{
	arch_this_cpu_set(cpu);
	arch_quiesce();
	cpu_main(cpu);
}

void arch_cpu_wait(void)
{
	wfi();
}

/* PAUSE of Zihintpause, a hint that does nothing elsewhere: FENCE with pred W and succ 0. */
void arch_cpu_pause(void)
{
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory");
}

/* They see that they are to stop when they take the interrupt: arch_interrupts_take. */
void arch_cpus_stop(void)
{
	struct cpu *self = arch_this_cpu();

	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_of(i) != self && cpu_of(i)->online)
			arch_ipi_send(cpu_of(i));
}

void arch_ipi_send(const struct cpu *to)
{
	fence(); /* what was written before is visible to who takes the interrupt */
	sbi_call(SBI_IPI, SBI_IPI_SEND, 1, to->hw_id, 0);
}
