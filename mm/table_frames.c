/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables from the frame allocator. */
#include "mm/table_frames.h"

#include "mm/frame.h"

static enum err alloc_table(struct npt_env *env, unsigned order, hpa_t *table)
{
	(void)env;
	return frame_alloc_zeroed(order, table);
}

static void free_table(struct npt_env *env, hpa_t table, unsigned order)
{
	(void)env;
	frame_free(table, order);
}

static uint32_t *present(struct npt_env *env, hpa_t table)
{
	(void)env;
	return frame_table_present(table);
}

struct npt_env table_frames_env(void (*flush)(struct npt_env *env, gpa_t gpa, uint64_t size), struct npt_walk_cache *cache)
{
	return (struct npt_env){
		.alloc_table = alloc_table,
		.free_table = free_table,
		.present = present,
		.flush = flush,
		.cache = cache,
		.phys_to_virt = (uintptr_t)frame_ptr(HPA(0)),
	};
}
