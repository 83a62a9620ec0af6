/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs of an AArch64 guest are started and stopped by PSCI (Arm DEN0022). */
#include "guest/rt/aarch64/cpu.h"
#include "guest/rt/smp.h"

#define PSCI_CPU_OFF 0x84000002
#define PSCI_CPU_ON  0xc4000003

enum { PSCI_SUCCESS = 0, PSCI_ALREADY_ON = -4, PSCI_INTERNAL_FAILURE = -6 };

extern char rt_cpu_entry[];

void rt_arch_several(struct rt_cpu *self)
{
	(void)self; /* MPIDR_EL1 tells who it is */
	rt_mmu_begin();
}

uint64_t rt_arch_cpu_start(struct rt_cpu *cpu)
{
	uint64_t x[4] = { PSCI_CPU_ON, cpu->id, (uintptr_t)rt_cpu_entry, (uintptr_t)cpu };

	__asm__ volatile("mrs %0, vbar_el1" : "=r"(cpu->vectors));
	rt_hvc(x, 0);
	switch ((int32_t)x[0]) {
	case PSCI_SUCCESS:
		return 0;
	case PSCI_ALREADY_ON:
		return RT_DENIED;
	case PSCI_INTERNAL_FAILURE:
		return RT_NO_MEMORY;
	default:
		return RT_INVALID;
	}
}

void rt_arch_cpu_off(void)
{
	uint64_t x[4] = { PSCI_CPU_OFF };

	rt_hvc(x, 0);
}
