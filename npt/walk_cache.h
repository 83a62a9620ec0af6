/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk cache finds the table of pages for an address without a walk. Callers hold the lock that serialises changes of the
 * `struct npt`.
 */
#ifndef NESTLING_NPT_WALK_CACHE_H
#define NESTLING_NPT_WALK_CACHE_H

#include "npt/npt.h"

static inline unsigned npt_walk_cache_index(uint64_t gpa)
{
	return (gpa >> NPT_BLOCK_SHIFT) % NPT_WALK_CACHE_SIZE;
}

/* The entry of level 0 for `gpa`, if its table is in the walk cache; else NULL. */
static inline uint64_t *npt_walk_cache_lookup(const struct npt *npt, gpa_t gpa)
{
	unsigned i = npt_walk_cache_index(gpa.raw);
	uint64_t *slot;

	if (npt->walk_cache.block[i] != gpa.raw >> NPT_BLOCK_SHIFT)
		return NULL;
	slot = npt->walk_cache.entries[i] + ((gpa.raw >> PAGE_SHIFT) & (BIT(NPT_INDEX_BITS) - 1));
	if (!slot) /* then callers need not ask a second time */
		__builtin_unreachable();
	return slot;
}

/*
 * Insert fresh information for the block around `gpa`, if its table is in the walk cache: for the accesses n with bit n of
 * `accesses` set, any page of the block that is not mapped yet gets `entry` plus its address. Valid until it is invalidated or the
 * table is unlinked.
 */
static inline void npt_walk_cache_insert_fresh(struct npt *npt, gpa_t gpa, unsigned accesses, uint64_t entry)
{
	if (!npt_walk_cache_lookup(npt, gpa))
		return;
	npt->walk_cache.fresh_entry[npt_walk_cache_index(gpa.raw)] = entry;
	npt->walk_cache.fresh_accesses[npt_walk_cache_index(gpa.raw)] = (uint8_t)accesses;
}
/* The fresh information for the block around `gpa`, whose table is in the walk cache. Returns the accesses; 0: there is none. */
static inline unsigned npt_walk_cache_lookup_fresh(const struct npt *npt, gpa_t gpa, uint64_t *entry)
{
	*entry = npt->walk_cache.fresh_entry[npt_walk_cache_index(gpa.raw)];
	return npt->walk_cache.fresh_accesses[npt_walk_cache_index(gpa.raw)];
}
/* Invalidate the fresh information of all blocks in [start, end), which is not empty. */
void npt_walk_cache_invalidate_fresh(struct npt *npt, uint64_t start, uint64_t end);

/* The present-entry count of the table of pages around `gpa`, if that is in the walk cache; else 0. */
static inline unsigned npt_walk_cache_present(const struct npt *npt, gpa_t gpa)
{
	return npt_walk_cache_lookup(npt, gpa) ? *npt->walk_cache.present[npt_walk_cache_index(gpa.raw)] : 0;
}

/* Does one table of pages in the walk cache map all of [gpa, gpa + size), which is not empty? */
static inline bool npt_walk_cache_covers(const struct npt *npt, gpa_t gpa, uint64_t size)
{
	return (gpa.raw ^ (gpa.raw + size - 1)) >> NPT_BLOCK_SHIFT == 0 && npt_walk_cache_lookup(npt, gpa);
}

/* Insert the table of pages around `gpa`. Walks do so, too: the cache is no part of what the space maps, so `npt` may be const. */
void npt_walk_cache_insert(const struct npt *npt, uint64_t gpa, hpa_t table);
/* The table of pages around `gpa` is about to be unlinked. */
void npt_walk_cache_invalidate(struct npt *npt, uint64_t gpa);

#endif
