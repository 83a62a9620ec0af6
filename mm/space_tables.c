/* SPDX-License-Identifier: BSD-2-Clause */
/* The env of a space's struct npt: where its tables come from, and how its CPUs are flushed. */
#include "include/arch/machine.h"
#include "mm/space.h"
#include "mm/table_frames.h"

static struct addr_space *space_of(struct npt_env *env)
{
	return CONTAINER_OF(env, struct addr_space, env);
}

static void env_flush(struct npt_env *env, gpa_t gpa, uint64_t size)
{
	space_flush(space_of(env), gpa, size);
}

enum err space_take_frames(struct addr_space *as, unsigned order, hpa_t *frames)
{
	enum err err;

	if (!cost_charge(as, PAGE_SIZE << order))
		return ERR_NO_MEMORY;
	err = frame_alloc_need(as->need, order, 0, frames);
	if (err != ERR_OK && held_drop(as))
		err = frame_alloc_need(as->need, order, 0, frames);
	if (err != ERR_OK)
		cost_uncharge(as, PAGE_SIZE << order);
	return err;
}

void space_give_frames(struct addr_space *as, hpa_t frames, unsigned order)
{
	frame_free(frames, order);
	cost_uncharge(as, PAGE_SIZE << order);
}

/* Reclaim itself may need a table for a split when there is no frame left: the reserve is for that. */
static enum err env_alloc_table(struct npt_env *env, unsigned order, hpa_t *table)
{
	struct addr_space *as = space_of(env);
	enum err err = space_take_frames(as, order, table);

	if (err != ERR_OK && order == 0 && as->reclaiming && as->reserve.raw != 0) {
		*table = as->reserve;
		as->reserve = HPA(0);
		err = ERR_OK;
	}
	if (err == ERR_OK)
		arch_zero_pages(frame_ptr(*table), PAGE_SIZE << order);
	return err;
}

static void env_free_table(struct npt_env *env, hpa_t table, unsigned order)
{
	space_give_frames(space_of(env), table, order);
}

void fill_reserve(struct addr_space *as)
{
	if (as->reserve.raw == 0 && space_take_frames(as, 0, &as->reserve) != ERR_OK)
		as->reserve = HPA(0);
}

struct npt_env space_env(struct npt_walk_cache *cache)
{
	struct npt_env env = table_frames_env(env_flush, cache);

	env.alloc_table = env_alloc_table;
	env.free_table = env_free_table;
	env.sharing = &space_sharing;
	return env;
}
