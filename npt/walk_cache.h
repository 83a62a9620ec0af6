/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk cache finds the table of pages for an address, or the large leaf, without a walk. Callers hold a
 * lock that keeps others from using the same cache, and from unlinking tables.
 */
#ifndef NESTLING_NPT_WALK_CACHE_H
#define NESTLING_NPT_WALK_CACHE_H

#include "npt/npt.h"

static inline unsigned npt_walk_cache_index(uint64_t gpa)
{
	return (gpa >> NPT_BLOCK_SHIFT) % NPT_WALK_CACHE_SIZE;
}

/* The entry of level 0 for `gpa`, if its table is in the walk cache; else NULL. */
static inline uint64_t *npt_walk_cache_lookup(const struct npt_walk_cache *cache, gpa_t gpa)
{
	unsigned i = npt_walk_cache_index(gpa.raw);
	uint64_t *slot;

	if (cache->block[i] != gpa.raw >> NPT_BLOCK_SHIFT)
		return NULL;
	slot = (uint64_t *)(cache->slot[i] + (gpa.raw >> PAGE_SHIFT) * sizeof(uint64_t));
	if (!slot) /* then callers need not ask a second time */
		__builtin_unreachable();
	return slot;
}

/* The host address of the byte at `gpa`, if a large leaf that maps it is in the walk cache. */
static inline __attribute__((always_inline)) bool npt_walk_cache_lookup_leaf(const struct npt_walk_cache *cache, gpa_t gpa,
									     hpa_t *hpa)
{
	uint64_t i = npt_walk_cache_index(gpa.raw);

	/* Else the compiler would prepare for this in the look-up of a table before, at the cost of an instruction there. */
	__asm__("" : "+r"(i));
	if (cache->block[i] != ~(gpa.raw >> NPT_BLOCK_SHIFT))
		return false;
	if (__atomic_load_n((const uint64_t *)cache->slot[i], __ATOMIC_RELAXED) != cache->of[i].leaf)
		return false;
	*hpa = HPA(gpa.raw + cache->fresh_entry[i]);
	return true;
}

/*
 * The fast path of a fault uses a walk cache by the place of a block in its arrays of words, computed once. Without the empty asm
 * statement the compiler would compute it again for each array.
 */
static inline char *npt_walk_cache_place(struct npt_walk_cache *cache, gpa_t gpa)
{
	char *place = (char *)cache + npt_walk_cache_index(gpa.raw) * sizeof(uint64_t);

	__asm__("" : "+r"(place));
	return place;
}
#define NPT_WALK_CACHE_AT(place, array) \
	(*(__typeof__(&((struct npt_walk_cache *)0)->array[0]))(uintptr_t)((place) + offsetof(struct npt_walk_cache, array)))

/*
 * Insert fresh information for the block around `gpa`, if its table is in the walk cache: for the accesses n with bit n of
 * `accesses` set, any page of the block that is not mapped yet gets `entry` plus its address. Valid until it is invalidated or the
 * table is unlinked.
 */
static inline void npt_walk_cache_insert_fresh(struct npt_walk_cache *cache, gpa_t gpa, unsigned accesses, uint64_t entry)
{
	if (!npt_walk_cache_lookup(cache, gpa))
		return;
	cache->fresh_entry[npt_walk_cache_index(gpa.raw)] = entry;
	cache->fresh_accesses[npt_walk_cache_index(gpa.raw)] = (uint8_t)(accesses | NPT_FRESH_THERE);
}
/* Invalidate the fresh information of all blocks in [start, end), which is not empty, in all walk caches of the space. */
void npt_walk_cache_invalidate_fresh(struct npt *npt, uint64_t start, uint64_t end);

/* The present-entry count of the table of pages around `gpa`, if that is in the walk cache; else 0. */
static inline unsigned npt_walk_cache_present(const struct npt_walk_cache *cache, gpa_t gpa)
{
	return npt_walk_cache_lookup(cache, gpa) ?
		       __atomic_load_n(cache->of[npt_walk_cache_index(gpa.raw)].present, __ATOMIC_RELAXED) :
		       0;
}

/* Does one table of pages in the walk cache map all of [gpa, gpa + size), which is not empty? */
static inline bool npt_walk_cache_covers(const struct npt_walk_cache *cache, gpa_t gpa, uint64_t size)
{
	return (gpa.raw ^ (gpa.raw + size - 1)) >> NPT_BLOCK_SHIFT == 0 && npt_walk_cache_lookup(cache, gpa);
}

/* Add to a present-entry count, while others do so, too. */
static inline void npt_count_present(uint32_t *present, uint32_t count)
{
	__atomic_fetch_add(present, count, __ATOMIC_RELAXED);
}

/* Insert the table of pages around `gpa`. */
void npt_walk_cache_insert(const struct npt *npt, struct npt_walk_cache *cache, uint64_t gpa, hpa_t table);
/* Insert the large leaf `pte` at `slot`, which maps `gpa` to `hpa`, for the block around that. */
void npt_walk_cache_insert_leaf(struct npt_walk_cache *cache, uint64_t gpa, const uint64_t *slot, uint64_t pte, hpa_t hpa);
/* The table of `level` around `gpa` is about to be unlinked: forget it in all walk caches of the space. */
void npt_walk_cache_invalidate(struct npt *npt, uint64_t gpa, unsigned level);

#endif
