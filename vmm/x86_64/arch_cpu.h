/* SPDX-License-Identifier: BSD-2-Clause */
/* What a physical CPU has of its own on x86-64; embedded by value in struct cpu. */
#ifndef NESTLING_VMM_X86_64_ARCH_CPU_H
#define NESTLING_VMM_X86_64_ARCH_CPU_H

#include "include/types.h"

/* The GS base of the hypervisor points to it, which VM exits restore. */
struct cpu_arch {
	struct cpu *self; /* first */
	hpa_t control;    /* memory that virtualization needs for each CPU */
};

/* The CPU that this runs on. */
static inline struct cpu *arch_this_cpu(void)
{
	struct cpu *cpu;

	__asm__("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

#endif
