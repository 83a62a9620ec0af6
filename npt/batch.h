/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches: consecutive entries of a table that map consecutive memory with the same attributes. */
#ifndef NESTLING_NPT_BATCH_H
#define NESTLING_NPT_BATCH_H

#include "npt/npt.h"

/* Entries each of which is the one before plus `step`, such as those of consecutive pages. All 0: a batch without entries. */
struct npt_batch {
	uint64_t entry, mask, step; /* the first entry & mask; the bits that are compared; the difference from one to the next */
};
/* How many of the `count` entries from `slot` on, without a gap, belong to the batch? */
unsigned npt_batch_length(const uint64_t *slot, struct npt_batch batch, unsigned count);
/* The batch of level 0 entries that map consecutive pages from `hpa` on. */
static inline struct npt_batch npt_batch(const struct npt *npt, hpa_t hpa)
{
	return (struct npt_batch){
		.entry = npt->page.value | hpa.raw >> npt->page.shift,
		.mask = npt->page.mask | npt->page.address,
		.step = PAGE_SIZE >> npt->page.shift,
	};
}

#endif
