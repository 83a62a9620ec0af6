/* SPDX-License-Identifier: BSD-2-Clause */
/* Several ranges are discarded at once: what is removed is gathered, flushed once, and freed after that. */
#include "mm/space.h"

/* What makes up a piece: so many runs of leaves, steps of 2 MiB and parts of blocks of frames. Each takes some 60 instructions. */
#define DISCARD_WORK 1600
#define LEFT_STEPS   100 /* of a shared table that is left */

static bool is_enough(const struct removal *removal, int steps)
{
	return removal->runs + removal->frames.parts + removal->gather.left_sum * LEFT_STEPS >= (uint64_t)steps || steps <= 0;
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
static __attribute__((noinline)) bool discard_part(struct removal *removal, uint64_t start, uint64_t end)
{
	removal->place = (struct npt_block_place){ 0 }; /* the table may go */
	if (split_at_boundaries(removal->as, start, end) != ERR_OK)
		return false;
	remove_leaves(removal, start, end, true);
	return true;
}

/* Discard of the range as much as fits into `steps`, which goes down by that. True: nothing is left to do. */
static bool discard_one(struct removal *removal, struct addr_space_range *range, int *steps)
{
	uint64_t at = range->gpa.raw, end = at + range->size, stop;

	for (; at < end && !is_enough(removal, *steps); at = stop, --*steps) {
		stop = align_down(at, BLOCK_SIZE) + BLOCK_SIZE;
		if (stop - at == BLOCK_SIZE && stop <= end && remove_block(removal, at))
			continue;
		stop = min_u64(stop, end);
		if (!discard_part(removal, at, stop))
			return true;
	}
	*range = (struct addr_space_range){ GPA(at), end - at };
	return at == end;
}

unsigned addr_space_discard_ranges(struct addr_space *as, struct addr_space_range *ranges, unsigned count, uint64_t *released)
{
	const struct area *area = NULL;
	struct removal removal;
	unsigned done = 0;
	int steps = DISCARD_WORK;
	uint64_t before;

	space_lock(as);
	before = space_resident(as) + as->view.stats.shared;
	removal_init(&removal, as);
	for (; done < count && steps > 0; done++, steps--)
		if (is_discardable(as, ranges[done].gpa.raw, ranges[done].size, &area) &&
		    !discard_one(&removal, &ranges[done], &steps))
			break;
	removal_finish(&removal);
	reservations_drop(as);
	before -= space_resident(as) + as->view.stats.shared;
	as->view.stats.discarded += before;
	*released += before;
	space_unlock(as);
	return done;
}
