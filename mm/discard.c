/* SPDX-License-Identifier: BSD-2-Clause */
/* Several ranges are discarded at once: what is removed is gathered, flushed once, and freed after that. */
#include "mm/space.h"

/* What makes up a piece: so many runs of leaves, steps of 2 MiB and parts of blocks of frames. Each takes some 60 instructions. */
#define DISCARD_WORK 1600

static uint64_t work_done(const struct removal *removal, unsigned steps)
{
	return removal->runs + removal->frames.parts + steps;
}

/* Is the range in the space, and all of it in Alloc areas? Mostly in the one that the range before was in, which is `*last`. */
static bool is_discardable(struct addr_space *as, uint64_t start, uint64_t size, const struct area **last)
{
	const struct area *area = *last;

	if (area && size > 0 && is_aligned(start | size, PAGE_SIZE) && start >= area->start && start < area->end &&
	    size <= area->end - start)
		return true;
	if (size == 0 || !is_aligned(start | size, PAGE_SIZE) || size > as->npt.end || start > as->npt.end - size)
		return false;
	for (area = area_find(&as->areas, start); area && area->start <= start && area->backend == AREA_ALLOC;
	     area = area_next(area)) {
		if (area->end - start >= size) {
			*last = area;
			return true;
		}
		size -= area->end - start;
		start = area->end;
	}
	return false;
}

/* Remove what there is up to the end of the 2 MiB block. False: the leaf that lies across an end cannot be split. */
static bool discard_step(struct removal *removal, struct addr_space_range *range)
{
	uint64_t start = range->gpa.raw, end = min_u64(start + range->size, align_down(start, BLOCK_SIZE) + BLOCK_SIZE);

	if (end - start < BLOCK_SIZE || !remove_block(removal, start)) {
		removal->place.entries = NULL; /* the table may go */
		if (split_at_boundaries(removal->as, start, end) != ERR_OK)
			return false;
		remove_leaves(removal, start, end, true);
	}
	range->gpa.raw = end;
	range->size -= end - start;
	return true;
}

unsigned addr_space_discard_ranges(struct addr_space *as, struct addr_space_range *ranges, unsigned count, uint64_t *released)
{
	const struct area *area = NULL;
	struct removal removal;
	unsigned done = 0, steps = 0;
	uint64_t before;

	space_lock(as);
	before = space_resident(as) + as->view.stats.shared;
	removal_init(&removal, as);
	while (done < count && work_done(&removal, steps) < DISCARD_WORK) {
		struct addr_space_range *range = &ranges[done];
		bool ok = is_discardable(as, range->gpa.raw, range->size, &area);

		while (ok && range->size > 0 && work_done(&removal, steps++) < DISCARD_WORK)
			ok = discard_step(&removal, range);
		steps++;
		if (!ok || range->size == 0)
			done++;
	}
	removal_finish(&removal);
	reservations_drop(as);
	before -= space_resident(as) + as->view.stats.shared;
	as->view.stats.discarded += before;
	*released += before;
	space_unlock(as);
	return done;
}
