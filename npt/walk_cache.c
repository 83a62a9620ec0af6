/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk cache: insertion and invalidation. */
#include "npt/walk_cache.h"

#include <string.h>

#include "npt/engine.h"

static struct npt_walk_cache *cache_of(const struct npt *npt)
{
	return &((struct npt *)(uintptr_t)npt)->walk_cache;
}

void npt_walk_cache_insert(const struct npt *npt, uint64_t gpa, hpa_t table)
{
	struct npt_walk_cache *cache = cache_of(npt);
	unsigned i = npt_walk_cache_index(gpa);

	cache->block[i] = gpa >> NPT_BLOCK_SHIFT;
	cache->slot[i] = (uintptr_t)engine_entries(npt, table) - (gpa >> NPT_BLOCK_SHIFT) * PAGE_SIZE;
	cache->of[i].present = npt->env->present(npt->env, table);
	cache->fresh_accesses[i] = 0;
}

void npt_walk_cache_insert_leaf(const struct npt *npt, uint64_t gpa, const uint64_t *slot, uint64_t pte, hpa_t hpa)
{
	struct npt_walk_cache *cache = cache_of(npt);
	unsigned i = npt_walk_cache_index(gpa);

	cache->block[i] = ~(gpa >> NPT_BLOCK_SHIFT);
	cache->slot[i] = (uintptr_t)slot;
	cache->of[i].leaf = pte;
	cache->fresh_entry[i] = hpa.raw - gpa;
	cache->fresh_accesses[i] = 0;
	cache->has_leaves = true;
}

/* Which of the large leaves are in a certain table is not kept: forget them all. */
static __attribute__((noinline)) void invalidate_leaves(struct npt_walk_cache *cache)
{
	for (unsigned i = 0; i < NPT_WALK_CACHE_SIZE; i++)
		if (cache->block[i] > NPT_WALK_CACHE_NONE)
			cache->block[i] = NPT_WALK_CACHE_NONE;
	cache->has_leaves = false;
}

void npt_walk_cache_invalidate(struct npt *npt, uint64_t gpa, unsigned level)
{
	struct npt_walk_cache *cache = &npt->walk_cache;
	unsigned i = npt_walk_cache_index(gpa);

	if (level == 0 && cache->block[i] == gpa >> NPT_BLOCK_SHIFT)
		cache->block[i] = NPT_WALK_CACHE_NONE;
	if (level > 0 && cache->has_leaves)
		invalidate_leaves(cache);
}

void npt_walk_cache_invalidate_fresh(struct npt *npt, uint64_t start, uint64_t end)
{
	uint8_t *accesses = npt->walk_cache.fresh_accesses;
	uint64_t first = start >> NPT_BLOCK_SHIFT, last = (end - 1) >> NPT_BLOCK_SHIFT;

	if (last - first >= NPT_WALK_CACHE_SIZE)
		memset(accesses, 0, NPT_WALK_CACHE_SIZE);
	else
		for (; first <= last; first++)
			accesses[first % NPT_WALK_CACHE_SIZE] = 0;
}
