/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups of entries: where entries follow each other that differ by a constant step, many at a time, since in a loop over single
 * ones half of the work is the loop's. Private to npt/.
 */
#ifndef NESTLING_NPT_GROUP_H
#define NESTLING_NPT_GROUP_H

#include "npt/engine.h"

#define GROUP 8
#define FOR_EACH_OF_GROUP(i) _Pragma("GCC unroll 8") for (unsigned i = 0; i < GROUP; i++)

/* Does a group begin at `slot` of entries that are `pte`, each by `step` more than the one before, in the bits of `unlike`? */
static inline bool is_group(const uint64_t *slot, const uint64_t *stop, uint64_t pte, uint64_t unlike, uint64_t step)
{
	uint64_t differ = 0;

	if (stop - slot < GROUP)
		return false;
	FOR_EACH_OF_GROUP(i)
		differ |= pte_load(slot + i) ^ (pte + i * step);
	return (differ & unlike) == 0;
}

#endif
