/* SPDX-License-Identifier: BSD-2-Clause */
/* What a physical CPU has of its own on x86-64; embedded by value in struct cpu. */
#ifndef NESTLING_VMM_X86_64_ARCH_CPU_H
#define NESTLING_VMM_X86_64_ARCH_CPU_H

#include "include/types.h"
#include "vmm/x86_64/cpu_offsets.h"

/* The GS base of the hypervisor points to it, which VM exits restore. */
struct cpu_arch {
	struct cpu *self;  /* CPU_SELF */
	uint32_t events;   /* CPU_EVENTS: enum cpu_event; interrupts that have come and are not ended yet */
	uint64_t deadline; /* of arch_timer_set */
	hpa_t control;     /* SVM: where VMSAVE put the host's share of the state; VMX: the VMXON region */
	hpa_t vmcs;        /* VMX: the one that VMREAD and VMWRITE act on; raw 0: none */
};

/* The CPU that this runs on. */
static inline struct cpu *arch_this_cpu(void)
{
	struct cpu *cpu;

	__asm__("mov %%gs:%c1, %0" : "=r"(cpu) : "i"(CPU_SELF));
	return cpu;
}

#endif
