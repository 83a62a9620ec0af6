/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that C has no words for: barriers, caches, TLBs.
 * Source: Arm ARM (DDI 0487), "Memory barriers", "TLB maintenance instructions", "Cache maintenance instructions".
 */
#ifndef NESTLING_ARCH_AARCH64_INSN_H
#define NESTLING_ARCH_AARCH64_INSN_H

#include "include/arch/aarch64/sysreg.h"

#define isb()       __asm__ volatile("isb" : : : "memory")
#define dsb(domain) __asm__ volatile("dsb " #domain : : : "memory")

/* TLB maintenance without an operand, and with one. */
#define tlbi(operation)                  __asm__ volatile("tlbi " #operation : : : "memory")
#define tlbi_operand(operation, operand) __asm__ volatile("tlbi " #operation ", %0" : : "r"((uint64_t)(operand)) : "memory")
/* TLBI RIPAS2E1IS and RIPAS2E1, of FEAT_TLBIRANGE, which the assembler may not know. */
#define tlbi_ripas2e1is(operand)         __asm__ volatile("sys #4, c8, c0, #2, %0" : : "r"((uint64_t)(operand)) : "memory")
#define tlbi_ripas2e1(operand)           __asm__ volatile("sys #4, c8, c4, #2, %0" : : "r"((uint64_t)(operand)) : "memory")

/* Make the instruction fetches of all CPUs see what a DSB ISH has sent to the point of unification. */
static inline void icache_invalidate_all(void)
{
	__asm__ volatile("ic ialluis" : : : "memory");
	dsb(ish);
	isb();
}

/* The smallest data cache line, bytes. CTR_EL0.DminLine is the logarithm of its words. */
static inline uint64_t dcache_line_size(void)
{
	return UINT64_C(4) << (read_sysreg(ctr_el0) >> 16 & 0xf);
}

#endif
