/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A space's run of frames, from which faults take pages and fault-around windows: struct frame_run in mm/frame.h. It counts as
 * free, and is cleared ahead of the faults.
 */
#include "mm/space.h"

/* This many bytes are cleared at a time. */
#define READY_SIZE (RUN_TAKE_MAX * PAGE_SIZE)

static void run_clear(struct addr_space_view *view)
{
	struct frame_run *run = &view->run;
	uint64_t size = min_u64(READY_SIZE, run->end - run->ready);

	zero_memory(view->as, HPA(run->ready), size);
	run->ready += size;
}

/* Frames that other views of the space hold are as good as free. True if there were any. */
static bool others_held_drop(const struct addr_space_view *view)
{
	bool any = false;

	for (struct addr_space_view *other = &view->as->view; other; other = other->next)
		any |= other != view && view_held_drop(other);
	return any;
}

/* How long a new run may be under the limit, which permits it from then on. 0: it does not permit `count`. */
static uint64_t limited_run(struct addr_space_view *view, unsigned count)
{
	uint64_t frames = UINT64_C(1) << FRAME_RUN_ORDER;

	run_drop(view);
	while (frames / 2 >= count && !limit_reserve(view->as, frames * PAGE_SIZE))
		frames /= 2;
	return cost_fits(view->as, frames * PAGE_SIZE) ? frames : 0;
}

/* A new run, of at least `count` frames and at most what the limit allows. */
static bool run_renew(struct addr_space_view *view, unsigned count, bool locked)
{
	struct addr_space *as = view->as;
	uint64_t most = UINT64_MAX;
	bool renewed;

	if (as->cost.limit) {
		if (!locked)
			return false;
		most = limited_run(view, count);
		if (most == 0)
			return false;
	}
	view_settle(view);
	renewed = frame_run_renew(&view->run, as->id, count, most) == ERR_OK ||
		  (locked && others_held_drop(view) && frame_run_renew(&view->run, as->id, count, most) == ERR_OK);
	limit_settle(as);
	return renewed;
}

static bool run_prepare(struct addr_space_view *view, unsigned count, bool locked)
{
	if (view->run.end - view->run.next < count * PAGE_SIZE && !run_renew(view, count, locked))
		return false;
	if (view->run.ready - view->run.next < count * PAGE_SIZE)
		run_clear(view);
	return true;
}

bool run_ready(struct addr_space_view *view, bool locked)
{
	return run_prepare(view, 1, locked);
}

enum err run_take(struct addr_space_view *view, unsigned count, bool locked, hpa_t *frames)
{
	if (!run_prepare(view, count, locked))
		return ERR_NO_MEMORY;
	*frames = HPA(view->run.next);
	run_advance(view, count * PAGE_SIZE);
	return ERR_OK;
}

bool addr_space_zero_ahead(struct addr_space_view *view)
{
	bool more;

	space_lock(view->as);
	if (view->run.ready < view->run.end || (view->run.next == view->run.end && run_renew(view, 1, true)))
		run_clear(view);
	more = view->run.ready < view->run.end;
	space_unlock(view->as);
	return more;
}

void addr_space_release_held(struct addr_space *as)
{
	space_lock(as);
	held_drop(as);
	limit_settle(as);
	space_unlock(as);
}
