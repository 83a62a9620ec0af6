/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the CPU's own tables and registers need, by the manual's names. Source: Arm ARM (DDI 0487). */
#ifndef NESTLING_TESTS_GUESTS_AARCH64_EL1_H
#define NESTLING_TESTS_GUESTS_AARCH64_EL1_H

#include "guest/rt/rt.h"

#define MRS(name)                                                 \
	({                                                        \
		uint64_t value_;                                  \
		__asm__ volatile("mrs %0, " name : "=r"(value_)); \
		value_;                                           \
	})
#define MSR(name, value) __asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)) : "memory")

#define BIT_(n) (1ul << (n))

/* Exception classes of ESR_EL1. */
#define ESR_EC(esr)            ((unsigned)((esr) >> 26))
#define EC_UNDEFINED           0x00
#define EC_IABT                0x21 /* from the same level */
#define EC_DABT                0x25
/* Fault status of an abort: what, and at which of the manual's levels. */
#define ESR_FSC(esr)           ((unsigned)(esr)&0x3f)
#define FSC_TRANSLATION(level) (0x04u + (level))
#define FSC_ACCESS_FLAG(level) (0x08u + (level))
#define FSC_PERMISSION(level)  (0x0cu + (level))

#define SCTLR_M BIT_(0)
#define SCTLR_C BIT_(2)
#define SCTLR_I BIT_(12)

/* Stage 1 descriptors, 4 KiB granule. */
#define PTE_VALID  BIT_(0)
#define PTE_TABLE  BIT_(1)    /* a page, at the last level */
#define PTE_DEVICE (1ul << 2) /* index into MAIR_EL1: 0 is Normal */
#define PTE_RO     BIT_(7)
#define PTE_SH     (3ul << 8)
#define PTE_AF     BIT_(10)
#define PTE_DBM    BIT_(51)
#define PTE_XN     (3ul << 53)
#define PTE_ADDR   0x0000fffffffff000ul
#define PTE_RWX    (PTE_VALID | PTE_SH | PTE_AF)

/* TCR_EL1: 39-bit addresses by TTBR0, none by TTBR1, cacheable walks; 48-bit output. */
#define TCR_BASE (25ul | 1ul << 8 | 1ul << 10 | 3ul << 12 | BIT_(23) | 5ul << 32)
#define TCR_HA   BIT_(39)
#define TCR_HD   BIT_(40)
#define MAIR     0x00ff /* index 0: Normal write-back; 1: Device-nGnRnE */

static inline void isb(void)
{
	__asm__ volatile("isb" : : : "memory");
}

static inline void flush_tlb(void)
{
	__asm__ volatile("dsb ish\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" : : : "memory");
}

#endif
