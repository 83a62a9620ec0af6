/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A space's run of frames, from which faults take pages and fault-around windows: struct frame_run in mm/frame.h. It counts as
 * free, and is cleared ahead of the faults.
 */
#include "include/arch/machine.h"
#include "mm/space.h"

/* This many bytes are cleared at a time. */
#define READY_SIZE (RUN_TAKE_MAX * PAGE_SIZE)

static void run_clear(struct addr_space *as)
{
	struct frame_run *run = &as->run;
	uint64_t size = min_u64(READY_SIZE, run->end - run->ready);

	arch_zero_pages(frame_ptr(HPA(run->ready)), size);
	publish_memory(as, HPA(run->ready), size);
	run->ready += size;
}

/* A new run, of at least `count` frames and at most what the limit allows. */
static bool run_renew(struct addr_space *as, unsigned count)
{
	frame_run_drop(&as->run, as->id);
	return cost_fits(as, count * PAGE_SIZE) && frame_run_renew(&as->run, as->id, count, cost_room(as) >> PAGE_SHIFT) == ERR_OK;
}

static bool run_prepare(struct addr_space *as, unsigned count)
{
	if (as->run.end - as->run.next < count * PAGE_SIZE && !run_renew(as, count))
		return false;
	if (as->run.ready - as->run.next < count * PAGE_SIZE)
		run_clear(as);
	return true;
}

bool run_ready(struct addr_space *as)
{
	return run_prepare(as, 1);
}

enum err run_take(struct addr_space *as, unsigned count, hpa_t *frames)
{
	if (!run_prepare(as, count))
		return ERR_NO_MEMORY;
	*frames = HPA(as->run.next);
	as->run.next += count * PAGE_SIZE;
	return ERR_OK;
}

bool addr_space_zero_ahead(struct addr_space *as)
{
	bool more;

	spin_lock(&as->lock);
	if (as->run.ready < as->run.end || (as->run.next == as->run.end && run_renew(as, 1)))
		run_clear(as);
	more = as->run.ready < as->run.end;
	spin_unlock(&as->lock);
	return more;
}

void addr_space_release_held(struct addr_space *as)
{
	spin_lock(&as->lock);
	held_drop(as);
	spin_unlock(&as->lock);
}
