/* SPDX-License-Identifier: BSD-2-Clause */
/* Clears predictors and buffers between VMs, so that one VM cannot steer or observe another by speculation. */
#ifndef NESTLING_VMM_X86_64_SPECULATION_H
#define NESTLING_VMM_X86_64_SPECULATION_H

#include "include/types.h"

/* What the CPU says of itself: registers of CPUID, and IA32_ARCH_CAPABILITIES or 0. */
struct speculation_cpu {
	uint32_t leaf_7_edx, leaf_88_ebx, leaf_a1_eax; /* leaves 7, 0x80000008, 0x80000021 */
	uint64_t arch_capabilities;
};

struct speculation_plan {
	bool ibpb;           /* between VMs: indirect branch prediction barrier */
	bool flush_l1d;      /* between VMs: write back and empty the L1 data cache */
	bool clear_buffers;  /* between VMs: VERW */
	bool ibrs_always;    /* for good: branches of guests do not train the hypervisor's */
	bool automatic_ibrs; /* the same, AMD's way */
};

struct speculation_plan speculation_choose(const struct speculation_cpu *cpu);

/* Once on each CPU, with no guest there: choose for it, and switch on what is for good. `log` what is done between VMs. */
void speculation_start(bool log);
/* Clear them before a VM runs on a CPU where another one may have run. */
void speculation_forget(void);

/*
 * Does this CPU stop when the page size of code changes under it ("iTLB multihit", CVE-2018-12207)? `signature` is EAX of CPUID
 * leaf 1, of an Intel CPU.
 */
bool itlb_multihit(uint32_t signature, uint64_t arch_capabilities);
/* The same of the CPU that asks. */
bool itlb_multihit_here(void);

#endif
