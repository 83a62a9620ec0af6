/* SPDX-License-Identifier: BSD-2-Clause */
/* Promotion of 2 MiB blocks to one large leaf: by copy when most pages have memory, in place when the memory is contiguous. */
#include "include/arch/machine.h"
#include "mm/space.h"
#include "npt/batch.h"

/* A promotion may add at most a twentieth of the memory that the block has already: it needs 488 of 512 pages. */
#define DENSE_PAGES (BLOCK_PAGES * 20 / 21 + 1)
/* If this much at one end of a block has memory, next to a large leaf, the accesses are taken for a sequence that goes on. */
#define STREAK_SIZE (2 * RESERVATION_PIECE)

/* The pages of a block that have memory. */
struct block {
	uint64_t start;
	uint64_t memory[BLOCK_PAGES / 64]; /* one bit for each page that has memory */
	unsigned pages;                    /* number of pages with memory */
	unsigned own;                      /* of these, pages whose memory is not shared */
	unsigned placed;                   /* of these, pages that map their own place in the reservation */
};

static unsigned page_in(const struct block *block, uint64_t gpa)
{
	return (unsigned)((gpa - block->start) / PAGE_SIZE);
}

static bool has_memory(const struct block *block, unsigned page)
{
	return block->memory[page / 64] >> (page % 64) & 1;
}

/* Record that `count` pages from `page` on map their own place in the reservation. */
static void placed(struct block *block, unsigned page, unsigned count)
{
	block->pages += count;
	block->own += count;
	block->placed += count;
	for (unsigned end = page + count, stop; page < end; page = stop) {
		stop = (unsigned)min_u64(end, (page / 64 + 1) * 64);
		block->memory[page / 64] |= BITS(stop - page - 1, 0) << page % 64;
	}
}

/* Record whether this page, with the entry `pte`, has memory, and whether that is shared. */
static void look_at(const struct addr_space *as, const struct area *area, uint64_t pte, struct block *block, unsigned page)
{
	const bool own = npt_is_like(&as->npt, pte, area->page); /* the zero page would be `shared` */
	struct npt_leaf leaf = { 0 };

	if (!own && (npt_query(&as->npt, GPA(block->start + page * PAGE_SIZE), &leaf) != ERR_OK || frame_is_zero_page(leaf.hpa)))
		return;
	block->memory[page / 64] |= BIT(page % 64);
	block->pages++;
	block->own += own || !leaf.attr.shared;
}

/* Pages of the view's reservation for the block, if it has one, as a batch. They are never shared. */
static struct npt_batch reserved_pages(const struct addr_space_view *view, const struct block *block)
{
	if (view->reservation.memory.raw == 0 || view->reservation.block != block->start)
		return (struct npt_batch){ 0 };
	return npt_batch(&view->as->npt, view->reservation.memory);
}

/*
 * Read the `present` entries of the block's table. Pages that map their place in the reservation are compared as batches. False:
 * more than `others` of them are not the space's own memory, and the rest was not looked at.
 */
static bool look_into(const struct addr_space_view *view, const struct area *area, struct block *block, unsigned present,
		      unsigned others)
{
	const struct addr_space *as = view->as;
	const uint64_t *slots = npt_walk_cache_lookup(&as->view.cache, GPA(block->start));
	const struct npt_batch reserved = reserved_pages(view, block);

	for (unsigned page = 0, seen = 0; seen < present; page++) {
		const uint64_t pte = __atomic_load_n(&slots[page], __ATOMIC_RELAXED); /* hardware may set bits in it */
		struct npt_batch batch = reserved;

		if (pte == 0)
			continue;
		batch.entry += page * batch.step;
		if (batch.mask != 0 && (pte & batch.mask) == batch.entry) {
			unsigned count =
				npt_batch_length(slots + page, batch, (unsigned)min_u64(present - seen, BLOCK_PAGES - page));

			placed(block, page, count);
			seen += count;
			page += count - 1;
			continue;
		}
		look_at(as, area, pte, block, page);
		if (++seen - block->own > others)
			return false;
	}
	return true;
}

/* --- Promotion by copy -------------------------------------------------------------------------------------------- */

struct promotion {
	struct removal removal;
	struct block *block;
	hpa_t to;
	unsigned left;         /* pages that are still to be copied */
	uint64_t copied, next; /* [copied, next), host-physical: the last that were copied, not published yet */
};

/* A page was copied to `to`. What lies side by side is published at once, before the leaf is there. */
static void note_copied(struct promotion *promotion, uint64_t to)
{
	const struct addr_space *as = promotion->removal.as;

	if (to != promotion->next) {
		if (promotion->copied != promotion->next)
			publish_memory(as, HPA(promotion->copied), promotion->next - promotion->copied);
		promotion->copied = to;
	}
	promotion->next = to + PAGE_SIZE;
	if (--promotion->left == 0)
		publish_memory(as, HPA(promotion->copied), promotion->next - promotion->copied);
}

/* Called by npt_collapse for each old leaf that does not map its place in the new memory: copy it, and release its memory. */
static bool move_page(const struct npt_leaf *leaf, void *context)
{
	struct promotion *promotion = context;
	unsigned page = page_in(promotion->block, leaf->gpa.raw);
	struct addr_space *as = promotion->removal.as;

	if (has_memory(promotion->block, page)) {
		hpa_t to = HPA(promotion->to.raw + page * PAGE_SIZE);

		sync_memory(as, leaf->hpa, PAGE_SIZE);
		arch_copy_page(frame_ptr(to), frame_ptr(leaf->hpa));
		note_copied(promotion, to.raw);
	}
	release_leaves(&promotion->removal, leaf->hpa, 0, 1);
	return true;
}

/* Clear the pages at `to` for which the block has no memory to copy. */
static void zero_holes(const struct addr_space *as, const struct block *block, hpa_t to)
{
	for (unsigned word = 0; word < ARRAY_LEN(block->memory); word++)
		for (uint64_t holes = ~block->memory[word], run; holes != 0; holes ^= run) {
			unsigned first = (unsigned)__builtin_ctzll(holes), end;
			hpa_t at = HPA(to.raw + (word * 64 + first) * PAGE_SIZE);

			run = holes & ~(holes + BIT(first)); /* the lowest run of set bits */
			end = 64 - (unsigned)__builtin_clzll(run);
			zero_memory(as, at, (end - first) * PAGE_SIZE);
		}
}

/*
 * Can the block become one leaf over its reservation? Only if every piece that was handed out is still mapped in this block: one
 * that is not may have been freed and have another owner.
 */
static bool fits_reservation(const struct addr_space_view *view, const struct block *block)
{
	return block->placed > 0 && block->placed * PAGE_SIZE == BLOCK_SIZE - reservation_held(view);
}

/* Promote by copy. If there is no contiguous memory, or npt_collapse refuses, nothing is changed. */
static void promote(struct addr_space_view *view, const struct area *area, struct block *block)
{
	struct addr_space *as = view->as;
	const bool in_place = fits_reservation(view, block);
	const uint64_t fresh = BLOCK_SIZE - (in_place ? block->placed * PAGE_SIZE : 0);
	struct promotion promotion = { .block = block };

	if (in_place)
		promotion.to = view->reservation.memory;
	else if (!cost_reserve(as, BLOCK_SIZE) || frame_alloc_for(level_order(BLOCK_LEVEL), as->id, &promotion.to) != ERR_OK)
		return;
	/* Until the old pages are released, the space has both copies. */
	if (!in_place)
		cost_hold(as, BLOCK_SIZE);
	zero_holes(as, block, promotion.to);
	promotion.left = block->pages - (in_place ? block->placed : 0);
	removal_init(&promotion.removal, as);
	/* npt_collapse flushes before it calls move_page: no CPU uses the old leaves by then. */
	if (npt_collapse(&as->npt, GPA(block->start), BLOCK_LEVEL, promotion.to, area->attr, move_page, &promotion) != ERR_OK) {
		if (!in_place) {
			frame_free(promotion.to, level_order(BLOCK_LEVEL));
			cost_uncharge(as, BLOCK_SIZE);
		}
		return;
	}
	removal_finish(&promotion.removal);
	cost_uncharge(as, fresh);
	count_resident(as, fresh);
	if (in_place)
		view->reservation = (struct reservation){ 0 }; /* all of it is in use */
	as->view.stats.promoted++;
}

/* --- When a block is promoted ------------------------------------------------------------------------------------- */

/* Is `gpa` in the same area, and mapped by a large leaf that is not shared? */
static bool large_at(struct addr_space_view *view, const struct area *area, uint64_t gpa)
{
	struct npt_cursor cursor;
	struct npt_leaf leaf;

	if (gpa < area->start || gpa >= area->end || npt_find_by(&view->as->npt, &view->cache, GPA(gpa), &cursor) != NPT_LEAF)
		return false;
	npt_decode(&view->as->npt, &cursor, GPA(gpa), &leaf);
	return leaf.level >= BLOCK_LEVEL && !leaf.attr.shared;
}

#define STREAK_PAGES (STREAK_SIZE / PAGE_SIZE)
#define STREAK_BITS  BITS(STREAK_PAGES - 1, 0)

/*
 * May the page be part of a sequence of accesses from a neighbouring block? It must be near an end of its block, and the block
 * beyond that end must be a large leaf.
 */
static bool may_go_on(struct addr_space_view *view, const struct area *area, uint64_t gpa)
{
	uint64_t start = align_down(gpa, BLOCK_SIZE), offset = gpa - start;

	if (offset < STREAK_SIZE)
		return large_at(view, area, start - PAGE_SIZE);
	return offset >= BLOCK_SIZE - STREAK_SIZE && large_at(view, area, start + BLOCK_SIZE);
}

/* Do the 64 KiB whose first entry is at `slot` map memory that lies side by side, as what a sequence is given at once does? */
static bool came_together(const struct npt *npt, const uint64_t *slot)
{
	const unsigned pages = RESERVATION_PIECE / PAGE_SIZE;
	hpa_t first;

	return npt_page_at(npt, slot, &first) && npt_batch_length(slot, npt_batch(npt, first), pages) == pages;
}

/*
 * Is it a sequence, and long enough? All pages of the first or last STREAK_SIZE of the block must have memory, and have come by
 * whole windows: pages that came one by one, here and there, until all of those were among them, are no sequence.
 */
static bool goes_on(const struct addr_space *as, const struct block *block, uint64_t gpa)
{
	const unsigned first = gpa - block->start < STREAK_SIZE ? 0 : BLOCK_PAGES - STREAK_PAGES;
	const uint64_t *slots = npt_walk_cache_lookup(&as->view.cache, GPA(block->start));

	return (block->memory[first / 64] >> first % 64 & STREAK_BITS) == STREAK_BITS && block->own >= STREAK_PAGES &&
	       came_together(&as->npt, slots + first) && came_together(&as->npt, slots + first + STREAK_PAGES / 2);
}

/*
 * A cheap test before all entries of the block's table are read; `present` is their number. True when the last empty entry has
 * been filled; otherwise only at the last page of each 64 KiB, if the block is dense or a sequence may go on in it.
 */
static bool may_be_due(struct addr_space_view *view, const struct area *area, uint64_t gpa, bool was_empty, unsigned present,
		       bool *going_on)
{
	*going_on = false;
	if (present == BLOCK_PAGES && was_empty)
		return true;
	if (!is_aligned(align_down(gpa, PAGE_SIZE) + PAGE_SIZE, KIB(64)))
		return false;
	*going_on = area->policy == ALLOC_LAZY_AUTO && present >= STREAK_PAGES && may_go_on(view, area, gpa);
	return present >= DENSE_PAGES || *going_on;
}

bool promotion_may_be_due(struct addr_space_view *view, const struct area *area, uint64_t gpa, bool was_empty)
{
	bool going_on;

	return block_in_area(view->as, area, gpa) &&
	       may_be_due(view, area, gpa, was_empty, npt_walk_cache_present(&view->cache, GPA(gpa)), &going_on);
}

static bool collapse_block_in_place(struct addr_space *as, uint64_t at)
{
	struct npt_leaf leaf;

	if (is_logged(as, at) || !npt_collapse_in_place(&as->npt, GPA(at), BLOCK_LEVEL))
		return false;
	as->view.stats.merged++;
	if (npt_query(&as->npt, GPA(at), &leaf) == ERR_OK && frame_is_zero_page(leaf.hpa)) {
		as->view.stats.zero_leaves[0] -= BLOCK_PAGES;
		as->view.stats.zero_leaves[BLOCK_LEVEL]++;
	}
	return true;
}

void promote_if_dense(struct addr_space_view *view, const struct area *area, uint64_t gpa, bool was_empty)
{
	struct addr_space *as = view->as;
	struct block block = { .start = align_down(gpa, BLOCK_SIZE) };
	struct npt_cursor cursor;
	unsigned present;
	bool going_on;

	if (area->policy == ALLOC_LAZY_4K || area->policy == ALLOC_LAZY_64K || !block_in_area(as, area, gpa))
		return;
	npt_find(&as->npt, GPA(gpa), &cursor); /* from now on the table is in the walk cache */
	/* 0: the block is one leaf. */
	present = npt_walk_cache_present(&as->view.cache, GPA(gpa));
	if (present == 0 || !may_be_due(&as->view, area, gpa, was_empty, present, &going_on))
		return;
	if (!look_into(view, area, &block, present, going_on ? BLOCK_PAGES : BLOCK_PAGES - DENSE_PAGES))
		return;
	if (block.own == BLOCK_PAGES && collapse_block_in_place(as, block.start))
		return;
	if (is_logged(as, gpa))
		return;
	if (block.own >= DENSE_PAGES || (going_on && goes_on(as, &block, gpa)))
		promote(view, area, &block);
}

/* --- In place ----------------------------------------------------------------------------------------------------- */

/* The next address after `at` at which there can be a block of `level`; a hole is skipped as a whole. */
static uint64_t past_nothing(const struct addr_space *as, uint64_t at, unsigned level)
{
	uint64_t size = npt_level_size(level);
	struct npt_cursor cursor;

	if (npt_find(&as->npt, GPA(at), &cursor) == NPT_EMPTY && cursor.level > level)
		size = npt_level_size(cursor.level);
	return align_down(at, size) + size;
}

static bool area_covers(struct addr_space *as, uint64_t start, uint64_t size)
{
	const struct area *area = area_find(&as->areas, start);

	return area && area->end - start >= size;
}

void collapse_leaves_in_place(struct addr_space *as, uint64_t start, uint64_t end)
{
	for (unsigned level = BLOCK_LEVEL; level <= as->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level);

		for (uint64_t at = align_down(start, size); at < end; at = past_nothing(as, at, level)) {
			if (!area_covers(as, at, size))
				continue;
			if (level == BLOCK_LEVEL)
				collapse_block_in_place(as, at);
			else if (npt_collapse_in_place(&as->npt, GPA(at), level))
				as->view.stats.merged++;
		}
	}
}
