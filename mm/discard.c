/* SPDX-License-Identifier: BSD-2-Clause */
/* Several ranges are discarded at once: what is removed is gathered, flushed once, and freed after that. */
#include "mm/space.h"
#include "npt/block.h"

/* What makes up a piece: so many runs of leaves, steps of 2 MiB and parts of blocks of frames. Each takes some 60 instructions. */
#define DISCARD_WORK 1600
#define LEFT_STEPS   100 /* of a shared table that is left */

/* So many blocks that were one large leaf each are released together: one after the other is what guests report. */
#define BLOCKS 32

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

/* The memory of these blocks is no longer mapped: mostly all of it is the space's own, and else they are looked at one by one. */
static void release_blocks(struct removal *removal, const hpa_t *blocks, unsigned count)
{
	removal->runs += count;
	for (unsigned i = 0, done; i < count; i += done) {
		done = frame_chain_add_owned_blocks(&removal->frames, &blocks[i], count - i, BLOCK_LEVEL * NPT_INDEX_BITS,
						    removal->as->id);
		removal->owned += done * BLOCK_SIZE;
		if (done == 0)
			release_leaves(removal, blocks[i], BLOCK_LEVEL, done = 1);
	}
}

/* Are these whole blocks in the area, one at least? */
static inline bool is_blocks_in(const struct area *area, uint64_t start, uint64_t size)
{
	const uint64_t all = area->end - area->start;

	return is_aligned(start | size, BLOCK_SIZE) && size - 1 < all && start - area->start <= all - size;
}

/*
 * Discard ranges as long as they are such blocks, one leaf each, like the last one. Returns how many are done, and what is done of
 * the next is taken off it.
 */
static unsigned discard_alike(struct removal *removal, struct addr_space_range *ranges, unsigned count, const struct area *in)
{
	const struct area area = *in; /* a copy, as `alike` has, that is not read again after each entry that is written */
	struct npt_alike alike = npt_alike_begin(&removal->place, BLOCKS);
	hpa_t blocks[BLOCKS], *to = blocks;
	uint64_t low = UINT64_MAX, high = 0;
	unsigned done = 0;

	for (; done < count && is_blocks_in(&area, ranges[done].gpa.raw, ranges[done].size); done++) {
		uint64_t at = ranges[done].gpa.raw, end = at + ranges[done].size;

		low = min_u64(low, at);
		for (; at < end && npt_unmap_alike(&removal->as->npt, GPA(at), &alike, to); at += BLOCK_SIZE)
			to++;
		high = max_u64(high, at);
		if (at == end)
			continue;
		ranges[done] = (struct addr_space_range){ GPA(at), end - at };
		break;
	}
	npt_gather_range(&removal->gather, low, high);
	release_blocks(removal, blocks, npt_alike_end(&removal->as->npt, &alike));
	return done;
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
	for (; done < count && steps > 0; done++, steps--) {
		if (area && removal.place.mask != 0)
			done += discard_alike(&removal, &ranges[done], count - done, area);
		if (done == count)
			break;
		if (is_discardable(as, ranges[done].gpa.raw, ranges[done].size, &area) &&
		    !discard_one(&removal, &ranges[done], &steps))
			break;
	}
	removal_finish(&removal);
	reservations_drop(as);
	before -= space_resident(as) + as->view.stats.shared;
	as->view.stats.discarded += before;
	*released += before;
	space_unlock(as);
	return done;
}
