/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reclaim, when frames have run out: pages that hold only zeros are taken back, since the zero page can replace them
 * again. First those that nobody has ever used (fault-around, large leaves), then any.
 *
 * The hand goes round the space, so that each call goes on where the last one ended. What a page holds is looked at
 * twice: once to find candidates, and again when no CPU can write to it any more. What the last faults have given is left
 * alone, however empty: an instruction that needs two pages would never get both.
 */
#include "mm/space.h"

/* A call is content with this much. */
#define ENOUGH        KIB(256)
/* Splitting a large leaf takes a table. */
#define WORTH_A_SPLIT 2

enum pass { PASS_COLD, PASS_ANY };

/* What can be had of one block, or of the part of it that is in one area. */
struct scan {
	struct addr_space *as;
	const struct area *area;
	uint64_t start, end;
	enum pass pass;
	uint64_t zero[BLOCK_PAGES / 64]; /* a bit for each page from `start` on that seems to be zero, in 4 KiB leaves */
	unsigned found;
	bool split; /* there are enough, but in a large leaf */
};

static bool is_zero_page(const struct addr_space *as, hpa_t page)
{
	const uint64_t *words = frame_ptr(page);

	sync_memory(as, page, PAGE_SIZE);
	for (uint64_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		if (words[i] != 0)
			return false;
	return true;
}

static bool is_recent(const struct addr_space *as, uint64_t gpa)
{
	for (size_t i = 0; i < ARRAY_LEN(as->recent) && i < as->given; i++)
		if (align_down(as->recent[i], PAGE_SIZE) == gpa)
			return true;
	return false;
}

static bool can_be_had(const struct addr_space *as, uint64_t gpa, hpa_t page)
{
	return !is_recent(as, gpa) && is_zero_page(as, page);
}

/* Is a split of the large leaf worth the while? */
static bool worth_a_split(const struct scan *scan, const struct npt_leaf *leaf)
{
	unsigned count = 0;

	for (uint64_t at = scan->start; at < scan->end && count < WORTH_A_SPLIT; at += PAGE_SIZE)
		count += can_be_had(scan->as, at, HPA(leaf->hpa.raw + (at - leaf->gpa.raw)));
	return count == WORTH_A_SPLIT;
}

static bool consider(const struct npt_leaf *leaf, void *context)
{
	struct scan *scan = context;
	uint64_t page = (leaf->gpa.raw - scan->start) / PAGE_SIZE;

	/* What others use too would not be free. */
	if (frame_is_zero_page(leaf->hpa) || (scan->pass == PASS_COLD && leaf->accessed) ||
	    (leaf->attr.shared && frame_is_shared(leaf->hpa, level_order(leaf->level))))
		return true;
	if (leaf->level > 0) {
		scan->split = worth_a_split(scan, leaf);
	} else if (can_be_had(scan->as, leaf->gpa.raw, leaf->hpa)) {
		scan->zero[page / 64] |= BIT(page % 64);
		scan->found++;
	}
	return true;
}

static void scan_block(struct scan *scan)
{
	scan->found = 0;
	scan->split = false;
	/* A malformed entry is none that can be had. */
	(void)!npt_walk(&scan->as->npt, GPA(scan->start), scan->end - scan->start, consider, scan);
}

/* The next page at or after `*at` that seems to be zero. */
static bool next_zero(const struct scan *scan, uint64_t *at)
{
	for (; *at < scan->end; *at += PAGE_SIZE) {
		uint64_t page = (*at - scan->start) / PAGE_SIZE;

		if (scan->zero[page / 64] >> (page % 64) & 1)
			return true;
	}
	return false;
}

/* Give each page found the permissions `prot`, with at most one flush. They are 4 KiB leaves: it takes no memory. */
static void protect_found(const struct scan *scan, unsigned prot)
{
	struct npt_gather gather;

	npt_gather_init(&gather, &scan->as->npt);
	for (uint64_t at = scan->start; next_zero(scan, &at); at += PAGE_SIZE)
		(void)!npt_protect(&scan->as->npt, GPA(at), PAGE_SIZE, prot, &gather);
	npt_gather_finish(&gather);
}

/* Nobody can write to what was found: take what is still zero, and open the rest again. */
static void take_found(const struct scan *scan)
{
	struct addr_space *as = scan->as;
	struct removal removal;
	struct npt_leaf leaf;

	removal_init(&removal, as);
	for (uint64_t at = scan->start; next_zero(scan, &at); at += PAGE_SIZE)
		if (npt_query(&as->npt, GPA(at), &leaf) == ERR_OK && is_zero_page(as, leaf.hpa))
			remove_leaves(&removal, at, at + PAGE_SIZE, true);
	removal_finish(&removal);
	protect_found(scan, scan->area->attr.prot);
}

static void reclaim_block(struct scan *scan)
{
	scan_block(scan);
	if (scan->split && split_to_pages(scan->as, scan->start) == ERR_OK)
		scan_block(scan);
	if (scan->found == 0)
		return;
	if (scan->area->attr.prot & NPT_W)
		protect_found(scan, scan->area->attr.prot & ~(unsigned)NPT_W);
	take_found(scan);
	/* What served as the reserve's table may be paid back by now. */
	fill_reserve(scan->as);
}

/* The next block to look at, from the hand on; false at the end of the space. Moves the hand past it. */
static bool next_block(struct addr_space *as, struct scan *scan)
{
	struct area *area = area_find_from(&as->areas, as->hand);
	struct npt_cursor cursor;

	for (; area; area = area_next(area)) {
		/* Populated memory was promised to be there. */
		if (area->backend != AREA_ALLOC || area->policy == ALLOC_POPULATE)
			continue;
		for (as->hand = max_u64(as->hand, area->start); as->hand < area->end; as->hand = scan->end) {
			uint64_t size = BLOCK_SIZE;
			bool empty = npt_find(&as->npt, GPA(as->hand), &cursor) == NPT_EMPTY && cursor.level > 0;

			if (empty)
				size = npt_level_size(cursor.level);
			*scan = (struct scan){ .as = as, .area = area, .start = as->hand, .pass = scan->pass };
			scan->end = min_u64(align_down(as->hand, size) + size, area->end);
			if (empty)
				continue;
			as->hand = scan->end;
			return true;
		}
	}
	return false;
}

/* Memory that the space uses and could give up. */
static uint64_t in_use(const struct addr_space *as)
{
	return as->stats.resident + as->stats.shared;
}

/* One round, from the hand to the end. */
static void reclaim_round(struct addr_space *as, enum pass pass, uint64_t goal)
{
	struct scan scan = { .pass = pass };

	while (in_use(as) > goal && next_block(as, &scan))
		reclaim_block(&scan);
}

bool reclaim(struct addr_space *as)
{
	uint64_t before = in_use(as), goal = before > ENOUGH ? before - ENOUGH : 0;

	if (reservation_drop(as))
		return true;
	as->reclaiming = true;
	for (enum pass pass = PASS_COLD; pass <= PASS_ANY && in_use(as) == before; pass++) {
		reclaim_round(as, pass, goal);
		if (in_use(as) > goal) {
			as->hand = 0;
			reclaim_round(as, pass, goal);
		}
	}
	as->reclaiming = false;
	as->stats.reclaimed += before - in_use(as);
	return in_use(as) < before;
}
