/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults that one view's lock is enough for, so that those of several vCPUs do not wait for each other: a page or a window in a table
 * that is there already. All others go to fault.c.
 */
#include "mm/fault.h"

/* An entry that is empty, and what it will be. */
struct empty_page {
	uint64_t *slot;
	char *place;    /* of its block in the walk cache */
	uint64_t entry; /* without the address of a frame */
};

/*
 * The fast path of the most frequent fault: an unmapped page, in an area that maps single pages. False: take the slow path. Where the
 * walk cache has fresh information, the area is not looked up.
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
static inline bool fast_map_zero(struct addr_space_view *view, const struct area *area, unsigned access, const struct empty_page *page)
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

/* Zero-page break. False: take the slow path. */
static inline bool fast_break_zero(struct addr_space_view *view, const struct area *area, gpa_t gpa, unsigned access, uint64_t *slot)
{
	struct addr_space *as = view->as;
	hpa_t page, frame;

	if (as->view.next != NULL)
		return false;
	if (!(area->fast_page >> access & 1) || !npt_page_at(&as->npt, slot, &page) || page.raw != as->zero_page.raw ||
	    run_take(view, 1, false, &frame) != ERR_OK)
		return false;
	npt_replace_page(&as->npt, slot, gpa, frame, area->page);
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

/* The slow path of a fault. Called with the view's lock held, which it lets go of. */
static __attribute__((noinline)) enum fault_outcome handle_slowly(struct addr_space_view *view, const struct npt_fault *fault)
{
	const struct area *area = area_find(&view->as->areas, fault->gpa.raw);

	if (area && serve_page(view, area, fault->gpa, fault->access))
		;
	else if (area && area->fast_window >> fault->access & 1 && fault_around_give(view, area, fault->gpa.raw))
		note_recent(view, fault->gpa.raw);
	else
		return fault_serve(view, fault);
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

/* Called with the view's lock held, which it lets go of. Calls no function but at its end, so that the compiler saves no register. */
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
