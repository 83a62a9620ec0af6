/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups of consecutive entries that differ by a constant step are handled together: in a loop over single entries, half of the
 * instructions would be loop overhead. Private to npt/.
 */
#ifndef NESTLING_NPT_GROUP_H
#define NESTLING_NPT_GROUP_H

#include "npt/engine.h"

#define GROUP                8
#define FOR_EACH_OF_GROUP(i) _Pragma("GCC unroll 8") for (unsigned i = 0; i < GROUP; i++)

/* Are the GROUP entries from `slot` on pte, pte + step, pte + 2 * step and so on, in the bits of `mask`? */
static inline bool is_group(const uint64_t *slot, const uint64_t *stop, uint64_t pte, uint64_t mask, uint64_t step)
{
	uint64_t differ = 0;

	if (stop - slot < GROUP)
		return false;
	FOR_EACH_OF_GROUP(i)
	differ |= pte_load(slot + i) ^ (pte + i * step);
	return (differ & mask) == 0;
}

#endif
