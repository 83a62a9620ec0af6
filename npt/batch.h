/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries that follow each other in a table and map consecutive memory in the same way. */
#ifndef NESTLING_NPT_BATCH_H
#define NESTLING_NPT_BATCH_H

#include "npt/npt.h"

/* Entries that differ by a step each, such as those of pages in a row. All 0: a row that no entry is part of. */
struct npt_row {
	uint64_t entry, mask, step; /* the first one & mask, of the bits that matter, and what the next one is more */
};
/* How many of `count` entries from `slot` on are, one after the other, part of the row? */
unsigned npt_row_length(const uint64_t *slot, struct npt_row row, unsigned count);
/* Those of level 0 that map pages from `hpa` on. */
static inline struct npt_row npt_row(const struct npt *npt, hpa_t hpa)
{
	return (struct npt_row){
		.entry = npt->page.like | hpa.raw >> npt->page.shift,
		.mask = npt->page.unlike | npt->page.address,
		.step = PAGE_SIZE >> npt->page.shift,
	};
}

#endif
