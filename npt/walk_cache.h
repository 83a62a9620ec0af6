/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk cache: where the tables of pages are to which walks have come. Under the same lock as all that changes a `struct npt`.
 */
#ifndef NESTLING_NPT_WALK_CACHE_H
#define NESTLING_NPT_WALK_CACHE_H

#include "npt/npt.h"

static inline unsigned npt_known_index(uint64_t gpa)
{
	return (gpa >> NPT_BLOCK_SHIFT) % NPT_KNOWN;
}

/* The entry of level 0 for `gpa`, if its table is known; else NULL. */
static inline uint64_t *npt_known_slot(const struct npt *npt, gpa_t gpa)
{
	unsigned i = npt_known_index(gpa.raw);
	uint64_t *slot;

	if (npt->known.block[i] != gpa.raw >> NPT_BLOCK_SHIFT)
		return NULL;
	slot = npt->known.entries[i] + ((gpa.raw >> PAGE_SHIFT) & (BIT(NPT_INDEX_BITS) - 1));
	if (!slot) /* then callers need not ask a second time */
		__builtin_unreachable();
	return slot;
}

/* Tell of the block around `gpa`, if its table is known. It holds until it is taken back, or the table is unlinked. */
static inline void npt_known_tell(struct npt *npt, gpa_t gpa, unsigned accesses, uint64_t entry)
{
	if (!npt_known_slot(npt, gpa))
		return;
	npt->known.entry[npt_known_index(gpa.raw)] = entry;
	npt->known.accesses[npt_known_index(gpa.raw)] = (uint8_t)accesses;
}
/* What was told of it: the accesses, of which there are none if nothing was. Its table is known. */
static inline unsigned npt_known_told(const struct npt *npt, gpa_t gpa, uint64_t *entry)
{
	*entry = npt->known.entry[npt_known_index(gpa.raw)];
	return npt->known.accesses[npt_known_index(gpa.raw)];
}
/* Take back what was told of any block in [start, end), which is not empty. */
void npt_known_untell(struct npt *npt, uint64_t start, uint64_t end);

/* How many entries there are in the table of pages around `gpa`, if it is known; else 0. */
static inline unsigned npt_known_live(const struct npt *npt, gpa_t gpa)
{
	return npt_known_slot(npt, gpa) ? *npt->known.live[npt_known_index(gpa.raw)] : 0;
}

/* Is all of [gpa, gpa + size), which is not empty, in one table of pages that is known? */
static inline bool npt_known_range(const struct npt *npt, gpa_t gpa, uint64_t size)
{
	return (gpa.raw ^ (gpa.raw + size - 1)) >> NPT_BLOCK_SHIFT == 0 && npt_known_slot(npt, gpa);
}

/* Insert the table of pages around `gpa`, as walks and new tables do. A const space may learn it: it is no part of what the space maps. */
void npt_known_insert(const struct npt *npt, uint64_t gpa, hpa_t table);
/* The table of pages around `gpa` is about to be unlinked. */
void npt_known_forget(struct npt *npt, uint64_t gpa);

#endif
