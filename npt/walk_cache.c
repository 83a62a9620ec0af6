/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk cache: insertion and invalidation. */
#include "npt/walk_cache.h"

#include <string.h>

#include "npt/engine.h"

void npt_walk_cache_insert(const struct npt *npt, uint64_t gpa, hpa_t table)
{
	struct npt_walk_cache *cache = &((struct npt *)(uintptr_t)npt)->walk_cache;
	unsigned i = npt_walk_cache_index(gpa);

	cache->block[i] = gpa >> NPT_BLOCK_SHIFT;
	cache->entries[i] = engine_entries(npt, table);
	cache->present[i] = npt->env->present(npt->env, table);
	cache->fresh_accesses[i] = 0;
}

void npt_walk_cache_invalidate(struct npt *npt, uint64_t gpa)
{
	struct npt_walk_cache *cache = &npt->walk_cache;
	unsigned i = npt_walk_cache_index(gpa);

	if (cache->block[i] == gpa >> NPT_BLOCK_SHIFT)
		cache->block[i] = UINT64_MAX;
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
