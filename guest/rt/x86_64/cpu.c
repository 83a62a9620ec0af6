/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs of an x86_64 guest are started and stopped by hypercalls, without the local APIC's INIT and SIPI: docs/guest-abi.md. */
#include "guest/rt/smp.h"

#define MSR_GS_BASE 0xc0000101

extern char rt_cpu_entry[];

void rt_arch_several(struct rt_cpu *self)
{
	uint64_t at = (uintptr_t)self;

	__asm__ volatile("wrmsr" : : "c"(MSR_GS_BASE), "a"((uint32_t)at), "d"((uint32_t)(at >> 32)) : "memory");
}

uint64_t rt_arch_cpu_start(struct rt_cpu *cpu)
{
	return rt_hypercall(RT_CALL_CPU_START, cpu->id, (uintptr_t)rt_cpu_entry, (uintptr_t)cpu, 0);
}

void rt_arch_cpu_off(void)
{
	rt_hypercall(RT_CALL_CPU_OFF, 0, 0, 0, 0);
}
