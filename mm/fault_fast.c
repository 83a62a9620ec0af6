/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults that one view's lock is enough for, so that those of several vCPUs do not wait for each other: a page or a window in a
 * table that is there already. All others go to fault.c.
 */
#include "mm/fault.h"

/* An entry that is empty, and what it will be. */
struct empty_page {
	uint64_t *slot;
	char *place;    /* of its block in the walk cache */
	uint64_t entry; /* without the address of a frame */
};

/*
 * The fast path of the most frequent fault: an unmapped page, in an area that maps single pages. False: take the slow path. Where
 * the walk cache has fresh information, the area is not looked up.
 */
static inline bool find_empty_page(struct addr_space_view *view, const struct npt_fault *fault, struct empty_page *page)
{
	const gpa_t gpa = fault->gpa;
	const struct area *area;
	unsigned accesses;

	page->place = npt_walk_cache_place(&view->cache, gpa);
	if (NPT_WALK_CACHE_AT(page->place, block) != gpa.raw >> NPT_BLOCK_SHIFT)
		return false;
	page->slot = (uint64_t *)(NPT_WALK_CACHE_AT(page->place, slot) + (gpa.raw >> PAGE_SHIFT) * sizeof(uint64_t));
	if (__atomic_load_n(page->slot, __ATOMIC_RELAXED) != 0)
		return false;
	accesses = view->cache.fresh_accesses[npt_walk_cache_index(gpa.raw)];
	page->entry = NPT_WALK_CACHE_AT(page->place, fresh_entry);
	if (accesses >> fault->access & 1)
		return true;
	if (accesses != 0)
		return false;
	area = area_hinted(&view->as->areas, gpa.raw);
	page->entry = area->page;
	return area_holds(area, gpa.raw) && (area->fast_page >> fault->access & 1);
}

/* Map the next frame of the run, which is ready. False: another vCPU has mapped the page meanwhile. Counted by view_settle. */
static inline bool give_page(struct addr_space_view *view, gpa_t gpa, const struct empty_page *page)
{
	uint64_t frame = view->run.next;

	if (__builtin_expect(!npt_try_fill_page(&view->cache, page->place, page->slot, HPA(frame), page->entry), false))
		return false;
	STORE_RELAXED(view->run.next, frame + PAGE_SIZE); /* frame_get_stats may read it */
	note_recent(view, gpa.raw);
	return true;
}

/* Map the zero page at an unmapped page. False: take the slow path. */
static inline bool fast_map_zero(struct addr_space_view *view, const struct area *area, unsigned access,
				 const struct empty_page *page)
{
	const struct addr_space *as = view->as;
	const uint64_t entry = as->zero_entry[area->attr.prot & NPT_RX];

	if (!(area->fast_zero >> access & 1) || entry == 0 ||
	    !npt_try_fill_page(&view->cache, page->place, page->slot, as->zero_page, entry))
		return false;
	view->cache.leaves++;
	view->stats.zero_leaves[0]++;
	view->stats.handled_zero++;
	return true;
}

/*
 * Zero-page break: the entry is out of the way of the others while the CPUs are flushed, so that none of them reads the zero page
 * when another one has written to the new page. False: take the slow path.
 */
static inline bool fast_break_zero(struct addr_space_view *view, const struct area *area, gpa_t gpa, unsigned access,
				   uint64_t *slot)
{
	struct addr_space *as = view->as;
	uint64_t pte = __atomic_load_n(slot, __ATOMIC_RELAXED);
	hpa_t page;

	if (!(area->fast_page >> access & 1) || !npt_is_page(&as->npt, pte, &page) || page.raw != as->zero_page.raw ||
	    !run_ready(view, false) || !npt_take_out(&as->npt, slot, pte))
		return false;
	view_flush(view, GPA(align_down(gpa.raw, PAGE_SIZE)), PAGE_SIZE);
	npt_put_in(&as->npt, slot, 0, HPA(view->run.next), area->page);
	run_advance(&view->run, PAGE_SIZE);
	view->stats.zero_leaves[0]--;
	view->stats.handled_unzero++;
	view->stats.resident += PAGE_SIZE;
	note_recent(view, gpa.raw);
	return true;
}

/* Faults on a page whose table is in the walk cache, in an area that gives single pages. False: take the slow path. */
static bool serve_page(struct addr_space_view *view, const struct area *area, gpa_t gpa, unsigned access)
{
	struct empty_page page = { .slot = npt_walk_cache_lookup(&view->cache, gpa), .entry = area->page };

	if (!page.slot)
		return false;
	if (__atomic_load_n(page.slot, __ATOMIC_RELAXED) != 0)
		return fast_break_zero(view, area, gpa, access, page.slot);
	page.place = npt_walk_cache_place(&view->cache, gpa);
	if (!(area->fast_page >> access & 1))
		return fast_map_zero(view, area, access, &page);
	return run_ready(view, false) && give_page(view, gpa, &page);
}

/* A fresh block or the large zero page at an empty entry of level 1, by the policies that want that. False: take the slow path. */
static bool serve_block(struct addr_space_view *view, const struct area *area, const struct npt_cursor *cursor, gpa_t gpa,
			unsigned access)
{
	struct addr_space *as = view->as;
	const bool write = access & NPT_W;
	struct npt_attr attr = area->attr;
	hpa_t block;

	if (cursor->level != BLOCK_LEVEL || !block_in_area(as, area, gpa.raw) ||
	    !(write ? wants_blocks(area) : wants_large_zeros(area)))
		return false;
	if (!write && !as->zero_page_published[BLOCK_LEVEL])
		return false;
	if (write ? guest_block_alloc(view, &block) != ERR_OK : frame_zero_page(level_order(BLOCK_LEVEL), &block) != ERR_OK)
		return false;
	attr.prot &= (uint8_t)(write ? NPT_RWX : NPT_RX);
	attr.shared = !write;
	if (!npt_try_fill_at(&as->npt, cursor, block, npt_page_entry(&as->npt, attr))) {
		if (write)
			give_back(as, block.raw, block.raw + BLOCK_SIZE);
		return false;
	}
	if (write) {
		view->stats.resident += BLOCK_SIZE;
		note_recent(view, gpa.raw);
	} else {
		view->stats.zero_leaves[BLOCK_LEVEL]++;
		view->stats.handled_zero++;
	}
	return true;
}

/* Memory for a window around a write to an empty page, by the policies that want that. `*last` is its last page. */
static bool serve_window(struct addr_space_view *view, const struct area *area, gpa_t gpa, uint64_t *last)
{
	switch (area->policy) {
	case ALLOC_LAZY_64K:
		*last = gpa.raw;
		return fault_around_give(view, area, gpa.raw);
	case ALLOC_LAZY_AUTO:
		return fault_around_give_auto(view, area, gpa.raw, last);
	default:
		return false;
	}
}

/* Faults on more than a page, or in a table that is not in the walk cache. Called with the view's lock held, which it lets go of.
 */
static __attribute__((noinline)) enum fault_outcome serve_more(struct addr_space_view *view, const struct area *area,
							       const struct npt_fault *fault)
{
	const uint64_t *slot = npt_walk_cache_lookup(&view->cache, fault->gpa);
	struct npt_cursor cursor;
	uint64_t last;

	if (area->backend != AREA_ALLOC || fault->access & ~(unsigned)area->attr.prot)
		return fault_serve(view, fault);
	if (!slot) { /* the table may be there all the same */
		if (npt_find_by(&view->as->npt, &view->cache, fault->gpa, &cursor) == NPT_EMPTY && cursor.level > 0) {
			if (!serve_block(view, area, &cursor, fault->gpa, fault->access))
				return fault_serve(view, fault);
			goto handled;
		}
		if (cursor.level > 0)
			return fault_serve(view, fault);
		if (serve_page(view, area, fault->gpa, fault->access))
			goto handled;
		slot = cursor.slot;
	}
	if (!(fault->access & NPT_W) || __atomic_load_n(slot, __ATOMIC_RELAXED) != 0 ||
	    !serve_window(view, area, fault->gpa, &last))
		return fault_serve(view, fault);
	note_recent(view, fault->gpa.raw);
	if (area->policy == ALLOC_LAZY_AUTO && promotion_may_be_due(view, area, last, true)) {
		fault_promote(view, last);
		return FAULT_HANDLED;
	}
handled:
	spin_unlock(&view->lock);
	return FAULT_HANDLED;
}

/* The slow path of a fault. Called with the view's lock held, which it lets go of. */
static __attribute__((noinline)) enum fault_outcome handle_slowly(struct addr_space_view *view, const struct npt_fault *fault)
{
	const struct area *area = area_find(&view->as->areas, fault->gpa.raw);

	if (!area)
		return fault_serve(view, fault);
	if (!serve_page(view, area, fault->gpa, fault->access))
		return serve_more(view, area, fault);
	spin_unlock(&view->lock);
	return FAULT_HANDLED;
}

/* The fast path when no frame is ready: clears frames first. Called with the view's lock held, which it lets go of. */
static __attribute__((noinline)) enum fault_outcome give_cleared(struct addr_space_view *view, const struct npt_fault *fault)
{
	struct empty_page page;

	if (!run_ready(view, false) || !find_empty_page(view, fault, &page) || !give_page(view, fault->gpa, &page))
		return handle_slowly(view, fault);
	spin_unlock(&view->lock);
	return FAULT_HANDLED;
}

/* Called with the view's lock held, which it lets go of. Calls no function but at its end, so that the compiler saves no register.
 */
static inline __attribute__((always_inline)) enum fault_outcome handle(struct addr_space_view *view, const struct npt_fault *fault)
{
	struct empty_page page;

	if (!find_empty_page(view, fault, &page))
		return handle_slowly(view, fault);
	if (view->run.next == view->run.ready)
		return give_cleared(view, fault);
	if (!give_page(view, fault->gpa, &page))
		return handle_slowly(view, fault);
	spin_unlock(&view->lock);
	return FAULT_HANDLED;
}

/* Somebody is changing the space. */
static __attribute__((noinline)) enum fault_outcome handle_contended(struct addr_space_view *view, const struct npt_fault *fault)
{
	spin_lock(&view->lock);
	return handle(view, fault);
}

enum fault_outcome addr_space_handle_fault(struct addr_space_view *view, const struct npt_fault *fault)
{
	if (__builtin_expect(!spin_trylock(&view->lock), false))
		return handle_contended(view, fault);
	return handle(view, fault);
}
