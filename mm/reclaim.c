/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reclaim, when frames have run out or the guest is idle: pages that hold only zeros are unmapped and freed, since the zero page or
 * a fresh page can replace them. When frames have run out, first pages without the accessed bit (from fault-around or a large
 * leaf), then any.
 *
 * A hand moves round the space: each call goes on where the last one ended. The contents of a page are read twice: once to find
 * candidates, and again after write access was removed and flushed. Pages that the last faults have mapped are left alone even if
 * they hold only zeros: otherwise an instruction that needs two pages could lose one each time it gets the other.
 */
#include "mm/space.h"

/* One call stops when it has freed this much. */
#define ENOUGH        KIB(256)
/* A large leaf is split only for at least so many zero pages, because the split takes a frame for a table. */
#define WORTH_A_SPLIT 2

/*
 * Of an idle guest, so many pages are looked at together: they are read twice and flushed twice. And so much is done in one call,
 * with the space locked: pages that are there, those that are zero counted as many, since all of such a page has to be read. That
 * is some 100,000 instructions at most.
 */
#define IDLE_PAGES 32
#define IDLE_WORK  1024
#define ZERO_WORK  32

enum pass { PASS_COLD, PASS_ANY };

/* The pages that can be taken from one block, or from the part of it that is in one area. */
struct scan {
	struct addr_space *as;
	const struct area *area;
	uint64_t start, end;
	enum pass pass;
	uint64_t zero[BLOCK_PAGES / 64]; /* a bit for each page from `start` on that seems to be zero, in 4 KiB leaves */
	unsigned found;
	bool split; /* there are enough zero pages, but in a large leaf: split it first */
	bool whole; /* large leaves stay as they are */
};

static bool is_zero_page(const struct addr_space *as, hpa_t page)
{
	const uint64_t *words = frame_ptr(page);

	sync_memory(as, page, PAGE_SIZE);
	for (uint64_t i = 0; i < PAGE_SIZE / sizeof(*words); i += 4) { /* the guest may be writing */
		uint64_t found = __atomic_load_n(&words[i], __ATOMIC_RELAXED) | __atomic_load_n(&words[i + 1], __ATOMIC_RELAXED) |
				 __atomic_load_n(&words[i + 2], __ATOMIC_RELAXED) |
				 __atomic_load_n(&words[i + 3], __ATOMIC_RELAXED);

		if (found != 0)
			return false;
	}
	return true;
}

static bool is_recent(const struct addr_space *as, uint64_t gpa, hpa_t page)
{
	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		for (size_t i = 0; i < ARRAY_LEN(view->recent) && i < view->given; i++)
			if (view->recent[i] == gpa || view->recent[i] == (page.raw | ADDR_SPACE_RECENT_FRAME))
				return true;
	return false;
}

static bool can_be_had(const struct addr_space *as, uint64_t gpa, hpa_t page)
{
	return !is_recent(as, gpa, page) && is_zero_page(as, page);
}

/* Does the large leaf hold enough zero pages to split it? */
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

	/* A frame that another space uses too would not become free. */
	if (frame_is_zero_page(leaf->hpa) || (scan->pass == PASS_COLD && leaf->accessed) ||
	    (leaf->attr.shared && frame_is_shared(leaf->hpa, level_order(leaf->level))))
		return true;
	if (leaf->level > 0) {
		scan->split = !scan->whole && worth_a_split(scan, leaf);
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
	/* A malformed entry is no candidate; the error is ignored here. */
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

/* Give each page found the permissions `prot`, with at most one flush. They are 4 KiB leaves, so this allocates nothing. */
static void protect_found(const struct scan *scan, unsigned prot)
{
	struct npt_gather gather;

	npt_gather_init(&gather, &scan->as->npt);
	for (uint64_t at = scan->start; next_zero(scan, &at); at += PAGE_SIZE)
		(void)!npt_protect(&scan->as->npt, GPA(at), PAGE_SIZE, prot, &gather);
	npt_gather_finish(&gather);
}

/* No CPU can write to the pages found: free those that are still zero, and restore the permissions of the others. */
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
	if (!npt_take_table(&scan->as->npt, GPA(scan->start)))
		return; /* nothing would become free */
	scan_block(scan);
	if (scan->split && split_to_pages(scan->as, scan->start) == ERR_OK)
		scan_block(scan);
	if (scan->found == 0)
		return;
	if (scan->area->attr.prot & NPT_W)
		protect_found(scan, scan->area->attr.prot & ~(unsigned)NPT_W);
	take_found(scan);
	/* If the reserve was used for a table, one of the freed frames refills it. */
	fill_reserve(scan->as);
}

/*
 * Find the next block from the hand on, or the next part of one, of `part` bytes, and move the hand past it. False: there is none
 * before `end`.
 */
static bool next_block(struct addr_space *as, struct scan *scan, uint64_t *hand, uint64_t part, uint64_t end)
{
	struct area *area = area_find_from(&as->areas, *hand);
	struct npt_cursor cursor;

	for (; area && area->start < end; area = area_next(area)) {
		/* A populated area must keep its memory. */
		if (area->backend != AREA_ALLOC || area->policy == ALLOC_POPULATE)
			continue;
		for (*hand = max_u64(*hand, area->start); *hand < min_u64(area->end, end); *hand = scan->end) {
			bool empty = npt_find(&as->npt, GPA(*hand), &cursor) == NPT_EMPTY && cursor.level > 0;

			*scan = (struct scan){ .as = as, .area = area, .start = *hand, .pass = scan->pass, .whole = scan->whole };
			scan->end = empty ? npt_empty_end(&as->npt, &cursor, GPA(*hand)) : align_down(*hand, part) + part;
			scan->end = min_u64(scan->end, area->end);
			if (empty)
				continue;
			*hand = scan->end;
			return true;
		}
	}
	return false;
}

/* Memory that the space uses and could give up. */
static uint64_t in_use(const struct addr_space *as)
{
	return space_resident(as) + as->view.stats.shared;
}

/* From the hand to the end of the space, or until no more than `goal` bytes are in use. */
static void reclaim_round(struct addr_space *as, enum pass pass, uint64_t goal)
{
	struct scan scan = { .pass = pass };

	while (in_use(as) > goal && next_block(as, &scan, &as->hand, BLOCK_SIZE, as->npt.end))
		reclaim_block(&scan);
}

bool reclaim(struct addr_space *as)
{
	uint64_t before = in_use(as), goal = before > ENOUGH ? before - ENOUGH : 0;

	if (reservations_drop(as))
		return true;
	for (struct addr_space_view *view = &as->view; view; view = view->next)
		view_settle(view);
	as->reclaiming = true;
	for (enum pass pass = PASS_COLD; pass <= PASS_ANY && in_use(as) == before; pass++) {
		reclaim_round(as, pass, goal);
		if (in_use(as) > goal) {
			as->hand = 0;
			reclaim_round(as, pass, goal);
		}
	}
	as->reclaiming = false;
	as->view.stats.reclaimed += before - in_use(as);
	return in_use(as) < before;
}

/* --- Of an idle guest ------------------------------------------------------------------------------------------------ */

/* True: there is more to do from the hand on. */
static bool tidy(struct addr_space *as, uint64_t *hand)
{
	struct scan scan = { .pass = PASS_ANY, .whole = true };
	unsigned left = PIECE_COST, work = 0;
	uint64_t end = space_piece(as, *hand, as->npt.end, &left);

	for (; work < IDLE_WORK && next_block(as, &scan, hand, IDLE_PAGES * PAGE_SIZE, end); work += IDLE_PAGES) {
		/* A page that is known to have been written must not look like one that never was. */
		if (is_logged(as, scan.start))
			continue;
		reclaim_block(&scan);
		work += scan.found * ZERO_WORK;
	}
	if (work < IDLE_WORK)
		*hand = max_u64(*hand, end);
	return *hand < as->npt.end;
}

bool addr_space_tidy(struct addr_space *as, gpa_t *at)
{
	uint64_t before;
	bool more;

	space_lock(as);
	before = in_use(as);
	reservations_drop(as);
	for (struct addr_space_view *view = &as->view; view; view = view->next)
		view_settle(view);
	more = tidy(as, &at->raw);
	as->view.stats.reclaimed += before - in_use(as);
	space_unlock(as);
	if (!more)
		*at = GPA(0);
	return more;
}
