/* SPDX-License-Identifier: BSD-2-Clause */
/* Fork: a copy of an address space that shares its memory copy-on-write. */
#include "mm/space.h"

/* Add a reference to a leaf's memory: the leaf is about to be copied to the child. */
static void share_leaf(hpa_t hpa, unsigned level, void *context)
{
	struct addr_space *child = context;

	if (frame_is_zero_page(hpa)) {
		child->view.stats.zero_leaves[level]++;
		return;
	}
	frame_share(hpa, level_order(level));
	child->view.stats.shared += npt_level_size(level);
}

/* Linear memory is owned by no space and has no references. */
static void keep_leaf(hpa_t hpa, unsigned level, void *context)
{
	(void)hpa;
	(void)level;
	(void)context;
}

static enum err fork_area(struct addr_space *parent, struct addr_space *child, const struct area *area, struct npt_gather *gather)
{
	bool owned = area->backend == AREA_ALLOC;
	enum err err = area_reserve(&child->areas, 1);
	struct area *before = area_before(&child->areas, area->start), *copy;

	if (err != ERR_OK)
		return err;
	/* The area is inserted first, so that after a failure addr_space_free removes the leaves that the child has got. */
	copy = area_new(&child->areas);
	*copy = *area;
	area_insert(&child->areas, before, copy);
	return npt_clone(&parent->npt, &child->npt, GPA(area->start), area->end - area->start, owned, gather,
			 owned ? share_leaf : keep_leaf, child);
}

/* After a failure some leaves of the parent may be `shared` although no child has them: its next write reuses the page. */
static enum err fork_areas(struct addr_space *parent, struct addr_space *child)
{
	struct npt_gather gather;
	enum err err = ERR_OK;

	npt_gather_init(&gather, &parent->npt);
	for (struct area *area = area_find_from(&parent->areas, 0); err == ERR_OK && area; area = area_next(area))
		err = fork_area(parent, child, area, &gather);
	npt_gather_finish(&gather);
	return err;
}

enum err addr_space_fork(struct addr_space *parent, struct addr_space *child)
{
	enum err err = addr_space_new(child, parent->npt.ops, &parent->npt.config, parent->flush);
	if (err != ERR_OK)
		return err;
	child->sync = parent->sync;
	child->publish = parent->publish;
	child->cost.max = parent->cost.max;
	child->need = FRAME_CALL;
	space_lock(parent);
	held_drop(parent);
	err = fork_areas(parent, child);
	if (err == ERR_OK)
		log_fork(parent, child);
	space_unlock(parent);
	child->need = FRAME_GUEST;
	if (err != ERR_OK) {
		child->flush = NULL; /* no CPU has ever run on it */
		addr_space_free(child);
	}
	return err;
}
