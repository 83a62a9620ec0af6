/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU this is on x86-64. */
#ifndef NESTLING_VMM_X86_64_ARCH_CPU_H
#define NESTLING_VMM_X86_64_ARCH_CPU_H

#include "include/arch/x86_64/insn.h"
#include "vmm/x86_64/cpu_arch.h"

/*
 * The CPU that this runs on. By the GDTR, which an exit always restores, and not by GS, which on SVM may be the guest's:
 * vmm/x86_64/svm/entry.S.
 */
static inline struct cpu *arch_this_cpu(void)
{
	struct table_pointer gdt;

	__asm__("sgdt %0" : "=m"(gdt));
	return (struct cpu *)gdt.base;
}

#endif
