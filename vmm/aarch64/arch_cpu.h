/* SPDX-License-Identifier: BSD-2-Clause */
/* What a physical CPU has of its own on AArch64; embedded by value in struct cpu. */
#ifndef NESTLING_VMM_AARCH64_ARCH_CPU_H
#define NESTLING_VMM_AARCH64_ARCH_CPU_H

#include <stdbool.h>

#include "include/types.h"
#include "vmm/aarch64/offsets.h"

struct cpu;
struct trap_frame;

/*
 * TPIDR_EL2 holds the vCPU from arch_vcpu_run (entry.S) until that returns, so that an exit finds it at once. A vCPU has two
 * pointers at VCPU_CPU, to the CPU that it runs on and to this structure in it. At all other times TPIDR_EL2 is such that the same
 * two are found at the same offset: they are the first members here.
 */
struct cpu_arch {
	struct cpu *self;
	struct cpu_arch *self_arch;
	struct trap_frame
		*trap_next;     /* for the next trap of the hypervisor's own: boot/aarch64/trap_entry.S; NULL: there is none */
	uint64_t redistributor; /* of a GICv3: address of this CPU's */
	uint8_t gic_target;     /* of a GICv2: this CPU's interface, one bit */
	uint8_t open_timers;    /* of EL1's timers, those that may interrupt: interrupts_open_timers */
	bool has_interrupts;    /* its interrupt controller is in use */
	uint8_t lists;          /* of the GIC's list registers, so many from the first on are filled, or were: lists.c */
	uint8_t taken_timers;   /* of these, those that have since interrupts_timers_ended */
	bool listens;           /* of a GICv2: what list registers tell of interrupts it */
	unsigned last_vm;       /* whose guest ran here last, vm.number + 1; 0: none has */
};
_Static_assert(offsetof(struct cpu_arch, trap_next) == CPU_ARCH_TRAP_NEXT, "offsets.h");

/* The CPU that this runs on. One asm: the vCPU that TPIDR_EL2 names may be gone later, what it says of the CPU stays true. */
static inline struct cpu *arch_this_cpu(void)
{
	struct cpu *cpu;

	__asm__("mrs %0, tpidr_el2\n\tldr %0, [%0, %1]" : "=r"(cpu) : "i"(VCPU_CPU));
	return cpu;
}

#endif
