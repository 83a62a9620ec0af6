/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a batch of entries is. */
#include "npt/batch.h"

#include "npt/group.h"

unsigned npt_batch_length(const uint64_t *slot, struct npt_batch batch, unsigned count)
{
	const uint64_t *const start = slot, *const stop = slot + count;

	if (batch.mask == 0)
		return 0;
	for (; is_group(slot, stop, batch.entry, batch.mask, batch.step); slot += GROUP)
		batch.entry += GROUP * batch.step;
	for (; slot < stop && (pte_load(slot) & batch.mask) == batch.entry; slot++)
		batch.entry += batch.step;
	return (unsigned)(slot - start);
}
