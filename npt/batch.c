/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a batch of entries is. */
#include "npt/batch.h"

#include "npt/group.h"

unsigned npt_row_length(const uint64_t *slot, struct npt_row row, unsigned count)
{
	const uint64_t *const start = slot, *const stop = slot + count;

	if (row.mask == 0)
		return 0;
	for (; is_group(slot, stop, row.entry, row.mask, row.step); slot += GROUP)
		row.entry += GROUP * row.step;
	for (; slot < stop && (pte_load(slot) & row.mask) == row.entry; slot++)
		row.entry += row.step;
	return (unsigned)(slot - start);
}
