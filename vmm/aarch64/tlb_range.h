/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes by ranges of addresses (FEAT_TLBIRANGE), also of all that a VM may reach. To a CPU they are much the same as those by
 * page, and by VMID. A hypervisor that lends its EL2 has to look at tables of its own instead, for as far as it is told: Linux' KVM
 * (arch/arm64/kvm, nested.c and sys_regs.c) by VMID for all that its CPU can address, which is minutes where that CPU is emulated,
 * and each by a trap. Source: Arm ARM (DDI 0487), "TLBI RIPAS2E1IS": from BaseADDR on it covers (NUM + 1) << (5 * SCALE + 1)
 * granules.
 */
#ifndef NESTLING_VMM_AARCH64_TLB_RANGE_H
#define NESTLING_VMM_AARCH64_TLB_RANGE_H

#include "include/types.h"

#define TLB_RANGE_TG_4K       (UINT64_C(1) << 46)
#define TLB_RANGE_SCALE_SHIFT 44
#define TLB_RANGE_NUM_SHIFT   39
#define TLB_RANGE_UNITS       32

/* For some pages, and for a space: what an instruction covers is a multiple of that, in bytes: 8 KiB, 256 MiB. */
#define TLB_RANGE_PAGES       0
#define TLB_RANGE_SPACE       3
#define TLB_RANGE_UNIT(scale) (UINT64_C(1) << (5 * (scale) + 1 + PAGE_SHIFT))
#define TLB_RANGE_MAX(scale)  (TLB_RANGE_UNITS * TLB_RANGE_UNIT(scale))

/* A space is flushed so with up to that many bits of addresses, by 128 instructions; above, one by VMID is the shorter way. */
#define TLB_RANGE_GPA_BITS 40

/* What one instruction is given to cover `size` bytes from `gpa` on, or TLB_RANGE_MAX(scale) of them, and what else is in the last
 * unit. */
static inline uint64_t tlb_range_operand(uint64_t gpa, uint64_t size, unsigned scale)
{
	uint64_t units = (min_u64(size, TLB_RANGE_MAX(scale)) + TLB_RANGE_UNIT(scale) - 1) / TLB_RANGE_UNIT(scale);

	return TLB_RANGE_TG_4K | (uint64_t)scale << TLB_RANGE_SCALE_SHIFT | (units - 1) << TLB_RANGE_NUM_SHIFT | gpa >> PAGE_SHIFT;
}

#endif
