/* SPDX-License-Identifier: BSD-2-Clause */
/* include/arch/cpu.h for RISC-V: so far the CPU that boots is the only one, and nothing interrupts it. */
#include "include/arch/cpu.h"

#include <stdio.h>

#include "include/arch/virt.h"
#include "drivers/platform.h"
#include "drivers/riscv64/hart.h"

unsigned arch_cpus_find(uint64_t *ids, unsigned room)
{
	if (room > 0)
		ids[0] = platform_get()->boot_hart;
	return 1;
}

enum err arch_cpus_prepare(void)
{
	return ERR_OK;
}

enum err arch_cpus_map(struct host_map *map)
{
	(void)map;
	return ERR_OK;
}

void arch_cpu_name(const struct cpu *cpu, char *text, size_t size)
{
	snprintf(text, size, "hart %lu", cpu->hw_id);
}

struct cpu *arch_this_cpu(void)
{
	return cpu_of(0);
}

void arch_this_cpu_set(struct cpu *cpu)
{
	(void)cpu;
}

enum err arch_cpu_start(struct cpu *cpu, void *stack_top)
{
	(void)cpu;
	(void)stack_top;
	return ERR_UNSUPPORTED;
}

enum err arch_interrupts_start(const char **why)
{
	(void)why;
	return ERR_OK;
}

unsigned arch_interrupts_take(void)
{
	return 0;
}

uint64_t arch_clock_frequency(void)
{
	return hart_timebase_hz() ? hart_timebase_hz() : 1;
}

void arch_cpu_wait(void)
{
	__asm__ volatile("wfi" : : : "memory");
}

void arch_cpu_pause(void)
{
	__asm__ volatile("nop" : : : "memory");
}

void arch_ipi_send(const struct cpu *to)
{
	(void)to;
}

void arch_timer_set(uint64_t deadline)
{
	(void)deadline;
}

void arch_cpus_stop(void)
{
}
