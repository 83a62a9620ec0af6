/* SPDX-License-Identifier: BSD-2-Clause */
/* include/arch/cpu.h for AArch64: CPUs are found and started. Interrupts are drivers/aarch64/interrupts.c's. */
#include "include/arch/cpu.h"

#include <stdio.h>

#include "boot/aarch64/places.h"
#include "boot/aarch64/quiet.h"
#include "boot/cpus.h"
#include "boot/memory.h"
#include "boot/overlap.h"
#include "drivers/aarch64/interrupts.h"
#include "include/arch/aarch64/e2h.h"
#include "include/arch/aarch64/smc.h"
#include "include/arch/machine.h"
#include "include/log.h"

/* PSCI (DEN0022), "CPU_ON", "Return codes". */
#define PSCI_CPU_ON  UINT32_C(0xc4000003)
#define PSCI_SUCCESS 0

_Static_assert(offsetof(struct secondary, mair) == SECONDARY_MAIR, "secondary.h");
_Static_assert(offsetof(struct secondary, hcr) == SECONDARY_HCR, "secondary.h");
_Static_assert(offsetof(struct secondary, entry) == SECONDARY_ENTRY, "secondary.h");

/* One that does not come in time may come later, and must find what it begins with. */
static struct secondary secondaries[CPU_MAX];

/* Without interrupts there is one CPU, and no preemption: arch_interrupts_start says so. */
static void find_interrupts(void)
{
	uint64_t size;
	hpa_t start;

	interrupts_find(platform_get());
	for (unsigned i = 0; interrupts_region(i, &start, &size); i++)
		if (!overlap_registers_fit("interrupt controller", start, size))
			interrupts_refuse(i);
}

unsigned arch_cpus_find(uint64_t *ids, unsigned room)
{
	uint64_t self = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
	unsigned named = places_read(), count = 1;
	const struct cpu_place *place;
	bool names_self = named > CPU_MAX;

	find_interrupts();
	ids[0] = self;
	for (unsigned i = 0; (place = places_get(i)) != NULL; i++) {
		if (place->affinity == self)
			names_self = true;
		else if (count < room)
			ids[count++] = place->affinity;
	}
	return names_self ? named : named + 1;
}

/* Nothing: PSCI needs no memory, and spin tables are taken over by arch_quiesce. */
enum err arch_cpus_prepare(void)
{
	return ERR_OK;
}

enum err arch_cpus_map(struct host_map *map)
{
	enum err err = ERR_OK;
	uint64_t size;
	hpa_t start;

	for (unsigned i = 0; err == ERR_OK && interrupts_region(i, &start, &size); i++)
		err = memory_add_device(map, start, size);
	if (err != ERR_RANGE)
		return err;
	log_warn("boot: the interrupt controller at %#lx is not used: the CPU's addresses do not reach it", start.raw);
	interrupts_forget();
	return ERR_OK;
}

void arch_cpu_name(const struct cpu *cpu, char *text, size_t size)
{
	snprintf(text, size, "MPIDR %#lx", cpu->hw_id);
}

void arch_this_cpu_set(struct cpu *cpu)
{
	cpu->arch.self = cpu;
	cpu->arch.self_arch = &cpu->arch;
	write_sysreg(tpidr_el2, (uintptr_t)&cpu->arch - VCPU_CPU);
}

/* With our map and our stack. What it could be disturbed by is silenced, as on the first CPU. */
static void begin(struct cpu *cpu)
{
	quiet_cpu();
	arch_traps_init(cpu);
	cpu_main(cpu);
}

enum err arch_cpu_start(struct cpu *cpu, void *stack_top)
{
	const struct cpu_place *place = places_find(cpu->hw_id);
	struct secondary *secondary = &secondaries[cpu->id];

	*secondary = (struct secondary){
		.ttbr = read_sysreg(ttbr0_el2),
		.tcr = read_sysreg(tcr_el2),
		.mair = read_sysreg(mair_el2),
		.sctlr = read_sysreg(sctlr_el2),
		.hcr = host_hcr(),
		.stack_top = stack_top,
		.entry = begin,
		.cpu = cpu,
	};
	places_clean(secondary, secondary + 1);
	if (!place || place->start == CPU_START_NONE)
		return ERR_UNSUPPORTED;
	if (place->start == CPU_START_SPIN)
		return places_open_pen(cpu->hw_id, secondary) ? ERR_OK : ERR_UNSUPPORTED;
	return smc(PSCI_CPU_ON, cpu->hw_id, (uintptr_t)secondary_entry, (uintptr_t)secondary) == PSCI_SUCCESS ? ERR_OK : ERR_DENIED;
}
