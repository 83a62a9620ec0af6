/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk caches of a space: attaching, insertion and invalidation. */
#include "npt/walk_cache.h"

#include <string.h>

#include "npt/engine.h"

void npt_attach(struct npt *npt, struct npt_walk_cache *cache)
{
	struct npt_walk_cache **link = &npt->cache;

	while (*link)
		link = &(*link)->next;
	cache->page_shift = npt->page.shift;
	cache->block[0] = NPT_WALK_CACHE_NONE; /* not block 0; the others are not what the 0 in them says */
	*link = cache;
}

void npt_detach(struct npt *npt, struct npt_walk_cache *cache)
{
	struct npt_walk_cache **link = &npt->cache;

	while (*link != cache)
		link = &(*link)->next;
	*link = cache->next;
	npt->leaves[0] += cache->leaves;
}

uint64_t npt_leaves(const struct npt *npt, unsigned level)
{
	uint64_t leaves = npt->leaves[level];

	for (const struct npt_walk_cache *cache = npt->cache; level == 0 && cache; cache = cache->next)
		leaves += cache->leaves;
	return leaves;
}

void npt_walk_cache_insert(const struct npt *npt, struct npt_walk_cache *cache, uint64_t gpa, hpa_t table)
{
	unsigned i = npt_walk_cache_index(gpa);

	cache->block[i] = gpa >> NPT_BLOCK_SHIFT;
	cache->slot[i] = (uintptr_t)engine_entries(npt, table) - (gpa >> NPT_BLOCK_SHIFT) * PAGE_SIZE;
	cache->of[i].present = npt->env->present(npt->env, table);
	cache->fresh_accesses[i] = 0;
}

void npt_walk_cache_insert_leaf(struct npt_walk_cache *cache, uint64_t gpa, const uint64_t *slot, uint64_t pte, hpa_t hpa)
{
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
	unsigned i = npt_walk_cache_index(gpa);

	for (struct npt_walk_cache *cache = npt->cache; cache; cache = cache->next) {
		cache->unlinked++;
		if (level == 0 && cache->block[i] == gpa >> NPT_BLOCK_SHIFT)
			cache->block[i] = NPT_WALK_CACHE_NONE;
		if (level > 0 && cache->has_leaves)
			invalidate_leaves(cache);
	}
}

void npt_walk_cache_invalidate_fresh(struct npt *npt, uint64_t start, uint64_t end)
{
	uint64_t first = start >> NPT_BLOCK_SHIFT, last = (end - 1) >> NPT_BLOCK_SHIFT;

	for (struct npt_walk_cache *cache = npt->cache; cache; cache = cache->next) {
		if (last - first >= NPT_WALK_CACHE_SIZE)
			memset(cache->fresh_accesses, 0, NPT_WALK_CACHE_SIZE);
		else
			for (uint64_t block = first; block <= last; block++)
				cache->fresh_accesses[block % NPT_WALK_CACHE_SIZE] = 0;
	}
}
