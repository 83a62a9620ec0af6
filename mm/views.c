/* SPDX-License-Identifier: BSD-2-Clause */
/* Several vCPUs in one space: their views, and the statistics of all of them. */
#include <string.h>

#include "mm/space.h"

enum err addr_space_add_view(struct addr_space *as, struct addr_space_view *view)
{
	struct addr_space_view *last = &as->view;
	unsigned count = 1;
	enum err err = ERR_RANGE;

	memset(view, 0, sizeof(*view));
	view->as = as;
	space_lock(as);
	for (; last->next; last = last->next)
		count++;
	spin_place_after(&view->lock, &last->lock);
	if (count < ADDR_SPACE_VIEWS) {
		npt_attach(&as->npt, &view->cache);
		spin_lock(&view->lock); /* as all others are */
		last->next = view;
		err = ERR_OK;
	}
	space_unlock(as);
	return err;
}

/* Every member of struct addr_space_stats is a number, and all are summed up. */
static void add_stats(struct addr_space_stats *sum, const struct addr_space_stats *part)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)part;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

void addr_space_remove_view(struct addr_space_view *view)
{
	struct addr_space *as = view->as;
	struct addr_space_view *before = &as->view;

	space_lock(as);
	while (before->next != view)
		before = before->next;
	view_held_drop(view);
	add_stats(&as->view.stats, &view->stats);
	as->view.given += view->given;
	as->view.overhead += view->overhead;
	limit_settle(as);
	npt_detach(&as->npt, &view->cache);
	before->next = view->next;
	spin_unlock(&view->lock);
	space_unlock(as);
}

struct addr_space_stats addr_space_get_stats(struct addr_space *as)
{
	struct addr_space_stats stats = { .resident = 0 };

	space_lock(as);
	cost_settle(as);
	for (struct addr_space_view *view = &as->view; view; view = view->next) {
		view_settle(view);
		add_stats(&stats, &view->stats);
		stats.handled_fresh += view->given;
	}
	stats.resident_peak = as->resident_peak;
	stats.memory_peak = as->memory_peak;
	stats.memory_used = stats.resident + space_overhead(as);
	stats.handled_fresh -= stats.handled_unzero;
	/* Handled faults are counted by what was done; their number is the sum. */
	stats.faults[FAULT_HANDLED] = stats.handled_zero + stats.handled_fresh + stats.handled_unzero + stats.handled_copy +
				      stats.handled_reuse + stats.handled_tracked;
	space_unlock(as);
	return stats;
}

void addr_space_get_leaves(struct addr_space *as, uint64_t leaves[NPT_LEAF_LEVELS])
{
	space_lock(as);
	for (struct addr_space_view *view = &as->view; view; view = view->next)
		view_settle(view);
	for (unsigned level = 0; level < NPT_LEAF_LEVELS; level++)
		leaves[level] = npt_leaves(&as->npt, level);
	space_unlock(as);
}
