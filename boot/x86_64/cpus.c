/* SPDX-License-Identifier: BSD-2-Clause */
/* include/arch/cpu.h for x86-64: so far the CPU that boots is the only one, and nothing interrupts it. */
#include "include/arch/cpu.h"

#include <stdio.h>

#include "include/arch/virt.h"
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"

unsigned arch_cpus_find(uint64_t *ids, unsigned room)
{
	if (room > 0)
		ids[0] = cpuid(1, 0).ebx >> 24;
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
	snprintf(text, size, "APIC id %lu", cpu->hw_id);
}

void arch_this_cpu_set(struct cpu *cpu)
{
	cpu->arch.self = cpu;
	wrmsr(IA32_GS_BASE, (uintptr_t)&cpu->arch);
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
	return 1000000000;
}

void arch_cpu_wait(void)
{
	hlt();
}

void arch_cpu_pause(void)
{
	cpu_pause();
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
