/* SPDX-License-Identifier: BSD-2-Clause */
/* What a physical CPU has of its own on RISC-V; embedded by value in struct cpu. */
#ifndef NESTLING_VMM_RISCV64_ARCH_CPU_H
#define NESTLING_VMM_RISCV64_ARCH_CPU_H

#include "include/types.h"
#include "vmm/riscv64/cpu_block.h"
#include "vmm/riscv64/vmid.h"

struct vcpu;

struct cpu_arch {
	uint64_t deadline;        /* of arch_timer_set */
	struct vmid_space vmids;  /* of this hart */
	const struct vcpu *units; /* whose FP and vector registers are in the hart, if its units_cpu says the same */
};

/*
 * The CPU that this runs on. No register is free to hold it: while exits are served tp is the guest's, and sscratch is 0, by which
 * traps of the hypervisor's own are told from the guest's. So it is found by the stack.
 */
static inline struct cpu *arch_this_cpu(void)
{
	struct cpu *cpu;

	__asm__("lui %0, %1\n\t"
		"and %0, %0, sp\n\t"
		"ld %0, (%0)"
		: "=r"(cpu)
		: "i"((1 << 20) - (1 << (CPU_BLOCK_SHIFT - 12))));
	return cpu;
}

#endif
