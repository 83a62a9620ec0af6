/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking memory back when frames have run out: pages that hold nothing but zeros, which the zero frame can stand for
 * again. First those that nobody has ever used (fault-around, large leaves), then any.
 *
 * The hand goes round the space, so that each call goes on where the last one ended. What a page holds is looked at
 * twice: once to find candidates, and again when no CPU can write to it any more.
 */
#include <string.h>

#include "mm/space.h"

/* A call is content with this much. */
#define ENOUGH KIB(256)

enum pass { PASS_COLD, PASS_ANY };

/* Pages of one block, or of the part of it that is in one area, that seem to be zero. */
struct candidates {
	const struct addr_space *as;
	uint64_t start, end;
	enum pass pass;
	uint64_t gpa[BLOCK_PAGES];
	unsigned count;
	bool large; /* there are some, in a large leaf */
};

static bool is_zero(hpa_t memory, uint64_t size)
{
	const uint64_t *words = frame_ptr(memory);

	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		if (words[i] != 0)
			return false;
	return true;
}

/* Does the part of a large leaf that is in the block have a page of zeros? */
static bool has_zero_page(const struct candidates *candidates, const struct npt_leaf *leaf)
{
	for (uint64_t at = candidates->start; at < candidates->end; at += PAGE_SIZE) {
		hpa_t page = HPA(leaf->hpa.raw + (at - leaf->gpa.raw));

		sync_memory(candidates->as, page, PAGE_SIZE);
		if (is_zero(page, PAGE_SIZE))
			return true;
	}
	return false;
}

static bool consider(const struct npt_leaf *leaf, void *context)
{
	struct candidates *candidates = context;

	if (frame_is_zero(leaf->hpa) || (candidates->pass == PASS_COLD && leaf->accessed))
		return true;
	if (leaf->level > 0) {
		candidates->large = has_zero_page(candidates, leaf);
		return false;
	}
	sync_memory(candidates->as, leaf->hpa, PAGE_SIZE);
	if (is_zero(leaf->hpa, PAGE_SIZE))
		candidates->gpa[candidates->count++] = leaf->gpa.raw;
	return true;
}

static void find_candidates(struct addr_space *as, struct candidates *candidates)
{
	if (npt_walk(&as->npt, GPA(candidates->start), candidates->end - candidates->start, consider, candidates) !=
	    ERR_OK)
		candidates->count = 0;
}

/* Take the write permission of all candidates, with one flush. */
static void freeze(struct addr_space *as, const struct area *area, const struct candidates *candidates)
{
	unsigned prot = area->attr.prot & ~(unsigned)NPT_W;
	struct npt_gather gather;

	if (prot == area->attr.prot)
		return;
	npt_gather_init(&gather, &as->npt);
	for (unsigned i = 0; i < candidates->count; i++)
		/* One 4 KiB leaf: it takes no memory, and cannot fail. */
		if (npt_protect(&as->npt, GPA(candidates->gpa[i]), PAGE_SIZE, prot, &gather) != ERR_OK)
			break;
	npt_gather_finish(&gather);
}

static void thaw(struct addr_space *as, const struct area *area, uint64_t gpa)
{
	struct npt_gather gather;

	npt_gather_init(&gather, &as->npt);
	(void)!npt_protect(&as->npt, GPA(gpa), PAGE_SIZE, area->attr.prot, &gather);
	npt_gather_finish(&gather);
}

static void take_candidates(struct addr_space *as, const struct area *area, const struct candidates *candidates)
{
	struct removal removal;
	struct npt_leaf leaf;

	freeze(as, area, candidates);
	removal_init(&removal, as);
	for (unsigned i = 0; i < candidates->count; i++) {
		uint64_t gpa = candidates->gpa[i];

		if (npt_query(&as->npt, GPA(gpa), &leaf) != ERR_OK)
			continue;
		sync_memory(as, leaf.hpa, PAGE_SIZE);
		if (is_zero(leaf.hpa, PAGE_SIZE))
			remove_leaves(&removal, gpa, gpa + PAGE_SIZE, true);
		else
			thaw(as, area, gpa);
	}
	removal_finish(&removal);
}

static void refill_reserve(struct addr_space *as)
{
	if (as->reserve.raw == 0 && frame_alloc(0, &as->reserve) != ERR_OK)
		as->reserve = HPA(0);
}

/* Take what can be had of [start, end), which is of one area and one block. */
static void reclaim_block(struct addr_space *as, const struct area *area, uint64_t start, uint64_t end, enum pass pass)
{
	static struct candidates candidates; /* too large for the stack; one call at a time */

	candidates = (struct candidates){ .as = as, .start = start, .end = end, .pass = pass };
	find_candidates(as, &candidates);
	if (candidates.large && split_to_pages(as, start) == ERR_OK)
		find_candidates(as, &candidates);
	if (candidates.count > 0)
		take_candidates(as, area, &candidates);
	refill_reserve(as);
}

/* The next block to look at, from the hand on; false at the end of the space. */
static bool next_block(struct addr_space *as, struct area **area, uint64_t *start, uint64_t *end)
{
	for (*area = area_find_from(&as->areas, as->hand); *area; *area = area_next(*area)) {
		struct npt_cursor cursor;

		/* Populated memory was promised to be there. */
		if ((*area)->backend != AREA_ALLOC || (*area)->policy == ALLOC_POPULATE)
			continue;
		for (*start = max_u64(as->hand, (*area)->start); *start < (*area)->end; *start = *end) {
			uint64_t size = BLOCK_SIZE;
			enum npt_kind kind = npt_find(&as->npt, GPA(*start), &cursor);

			if (kind == NPT_EMPTY && cursor.level > BLOCK_LEVEL)
				size = npt_level_size(cursor.level);
			*end = min_u64(align_down(*start, size) + size, (*area)->end);
			if (kind != NPT_EMPTY || cursor.level == 0)
				return true;
		}
	}
	return false;
}

/* One round, from the hand to the end, or from the beginning. */
static void reclaim_round(struct addr_space *as, enum pass pass, uint64_t goal)
{
	uint64_t start, end;
	struct area *area;

	while (frame_get_stats().free < goal && next_block(as, &area, &start, &end)) {
		reclaim_block(as, area, start, end, pass);
		as->hand = end;
	}
}

bool reclaim(struct addr_space *as)
{
	uint64_t before = frame_get_stats().free, after;

	as->reclaiming = true;
	for (enum pass pass = PASS_COLD; pass <= PASS_ANY && frame_get_stats().free == before; pass++) {
		reclaim_round(as, pass, before + ENOUGH);
		if (frame_get_stats().free < before + ENOUGH) {
			as->hand = 0;
			reclaim_round(as, pass, before + ENOUGH);
		}
	}
	as->reclaiming = false;
	after = frame_get_stats().free;
	if (after > before)
		as->stats.reclaimed += after - before;
	return after > before;
}
