/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults that one view's lock is enough for, so that those of several vCPUs do not wait for each other: a page or a window in a
 * table that is there already. All others go to fault.c.
 */
#include "mm/fault.h"

/* The entry for a page, and what it will be if it is empty. */
struct page_slot {
	uint64_t *slot;
	char *place;    /* of its block in the walk cache */
	uint64_t entry; /* without the address of a frame */
};

static inline enum fault_outcome handled(struct addr_space_view *view)
{
	spin_unlock(&view->lock);
	return FAULT_HANDLED;
}

/*
 * The fast path of the most frequent fault: a page in an area that maps single pages for this access. False: take the slow path.
 * Where the walk cache has fresh information, the area is not looked up.
 */
static inline bool find_page(struct addr_space_view *view, const struct npt_fault *fault, struct page_slot *page)
{
	const gpa_t gpa = fault->gpa;
	const struct area *area;
	unsigned accesses;

	page->place = npt_walk_cache_place(&view->cache, gpa);
	if (NPT_WALK_CACHE_AT(page->place, block) != gpa.raw >> NPT_BLOCK_SHIFT)
		return false;
	page->slot = (uint64_t *)(NPT_WALK_CACHE_AT(page->place, slot) + (gpa.raw >> PAGE_SHIFT) * sizeof(uint64_t));
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

/*
 * Map the next frame of the run, which is ready. False: another vCPU has mapped the page meanwhile. That is counted, and kept in
 * mind as recent, by view_settle.
 */
static inline bool give_page(struct addr_space_view *view, const struct page_slot *page)
{
	uint64_t frame = view->run.next;

	if (__builtin_expect(!npt_try_fill_page(&view->cache, page->place, page->slot, HPA(frame), page->entry), false))
		return false;
	STORE_RELAXED(view->run.next, frame + PAGE_SIZE); /* frame_get_stats may read it */
	return true;
}

static inline void count_zero_page(struct addr_space_view *view)
{
	view->cache.leaves++;
	view->stats.zero_leaves[0]++;
	view->stats.handled_zero++;
}

/* Map the zero page at an unmapped page. False: take the slow path. */
static inline bool map_zero_page(struct addr_space_view *view, const struct area *area, unsigned access,
				 const struct page_slot *page)
{
	const struct addr_space *as = view->as;
	const uint64_t entry = as->zero_entry[area->attr.prot & NPT_RX];

	if (!(area->fast_zero >> access & 1) || entry == 0 ||
	    !npt_try_fill_page(&view->cache, page->place, page->slot, as->zero_page, entry))
		return false;
	count_zero_page(view);
	return true;
}

/*
 * Zero-page break, where a write gets a page of its own: the entry is out of the way of the others while the CPUs are flushed, so
 * that none of them reads the zero page when another one has written to the new page. False: take the slow path.
 */
static bool break_zero_page(struct addr_space_view *view, gpa_t gpa, uint64_t *slot, uint64_t entry)
{
	struct addr_space *as = view->as;
	uint64_t pte = __atomic_load_n(slot, __ATOMIC_RELAXED);
	hpa_t page;

	if (!npt_is_page(&as->npt, pte, &page) || page.raw != as->zero_page.raw || !run_ready(view, false) ||
	    !npt_take_out(&as->npt, slot, pte))
		return false;
	view_flush(view, GPA(align_down(gpa.raw, PAGE_SIZE)), PAGE_SIZE);
	npt_put_in(&as->npt, slot, 0, HPA(view->run.next), entry);
	STORE_RELAXED(view->run.next, view->run.next + PAGE_SIZE);
	view->stats.zero_leaves[0]--;
	view->cache.leaves--; /* view_settle adds the new one */
	view->stats.handled_unzero++;
	return true;
}

/* Does the area's policy serve this access by a single page? */
static inline bool gives_pages(const struct area *area, unsigned access)
{
	return (area->fast_page | area->fast_zero) >> access & 1;
}

/* An empty entry in a table in the walk cache, in an area of which gives_pages is true. False: take the slow path. */
static bool serve_page(struct addr_space_view *view, const struct area *area, const struct npt_fault *fault)
{
	const struct page_slot page = {
		.slot = npt_walk_cache_lookup(&view->cache, fault->gpa),
		.place = npt_walk_cache_place(&view->cache, fault->gpa),
		.entry = area->page,
	};

	if (!(area->fast_page >> fault->access & 1))
		return map_zero_page(view, area, fault->access, &page);
	return run_ready(view, false) && give_page(view, &page);
}

/*
 * A frame for a table. Where there are other views, it is the last one of the run, if it can be: then the records of its
 * neighbours, where present entries are counted, too, are in cache lines that those views do not use. False: there is none.
 */
static bool table_frame(struct addr_space_view *view, hpa_t *table)
{
	struct frame_run *run = &view->run;

	if (!view->as->view.next || run->ready >= run->end)
		return frame_alloc_for(0, 0, table) == ERR_OK;
	*table = HPA(run->end - PAGE_SIZE);
	STORE_RELAXED(run->end, table->raw); /* frame_get_stats may read it */
	(void)frame_take_over(*table, 0, 0); /* a block for itself, without an owner, as frame_alloc_for makes one */
	return true;
}

/*
 * A new table with a fresh page or the zero page in it, at an empty entry of level 1, in an area that gives single pages. The table
 * is cleared before anybody can see it, so nobody waits for that. False: take the slow path.
 */
static bool serve_table(struct addr_space_view *view, const struct area *area, const struct npt_cursor *cursor,
			const struct npt_fault *fault)
{
	struct addr_space *as = view->as;
	const bool fresh = area->fast_page >> fault->access & 1;
	const uint64_t entry = fresh ? area->page : as->zero_entry[area->attr.prot & NPT_RX];
	hpa_t table;

	if (cursor->level != BLOCK_LEVEL || !gives_pages(area, fault->access) || as->cost.limit || entry == 0 ||
	    (fresh && !run_ready(view, false)) || !table_frame(view, &table))
		return false;
	arch_zero_pages(frame_ptr(table), PAGE_SIZE);
	if (!npt_try_extend(&as->npt, &view->cache, cursor, fault->gpa, table, fresh ? HPA(view->run.next) : as->zero_page,
			    entry)) {
		frame_free(table, 0);
		return false;
	}
	view->overhead += PAGE_SIZE;
	if (fresh)
		STORE_RELAXED(view->run.next, view->run.next + PAGE_SIZE); /* as in give_page */
	else
		count_zero_page(view);
	if (holds_block(area, fault->gpa.raw))
		npt_walk_cache_insert_fresh(&view->cache, fault->gpa, area->fast_page, area->page);
	return true;
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

/* Fault on an empty entry in a table in the walk cache. Called with the view's lock held, which it lets go of; so are all below. */
static enum fault_outcome serve_empty(struct addr_space_view *view, const struct area *area, const struct npt_fault *fault)
{
	uint64_t last;

	if (gives_pages(area, fault->access))
		return serve_page(view, area, fault) ? handled(view) : fault_serve(view, fault);
	if (area->backend != AREA_ALLOC || !(fault->access & NPT_W) || !serve_window(view, area, fault->gpa, &last))
		return fault_serve(view, fault);
	note_recent(view, fault->gpa.raw);
	if (area->policy != ALLOC_LAZY_AUTO || !promotion_may_be_due(view, area, last, true))
		return handled(view);
	fault_promote(view, last);
	return FAULT_HANDLED;
}

static enum fault_outcome spurious(struct addr_space_view *view)
{
	view->stats.faults[FAULT_SPURIOUS]++;
	spin_unlock(&view->lock);
	return FAULT_SPURIOUS;
}

/* Fault on a leaf, where the walk ended at `cursor`. */
static enum fault_outcome serve_leaf(struct addr_space_view *view, const struct npt_cursor *cursor, const struct npt_fault *fault)
{
	struct npt_leaf leaf;

	npt_decode(&view->as->npt, cursor, fault->gpa, &leaf);
	return leaf_permits(view->as, &leaf, fault->access) ? spurious(view) : fault_serve(view, fault);
}

/* Fault on a page that is mapped. `entry` is npt_page_entry of its area, which permits the access. */
static enum fault_outcome serve_mapped(struct addr_space_view *view, const struct npt_fault *fault, uint64_t *slot, uint64_t entry)
{
	const struct npt *npt = &view->as->npt;
	struct npt_cursor cursor;

	if (npt_is_like(npt, __atomic_load_n(slot, __ATOMIC_RELAXED), entry))
		return spurious(view);
	if (fault->access & NPT_W)
		return fault_copy_page(view, fault->gpa, slot, entry) ? handled(view) : fault_serve(view, fault);
	if (npt_find_by(npt, &view->cache, fault->gpa, &cursor) != NPT_LEAF)
		return fault_serve(view, fault);
	return serve_leaf(view, &cursor, fault);
}

/* The same for a write, where the policy gives single pages. */
static __attribute__((noinline)) enum fault_outcome write_mapped(struct addr_space_view *view, const struct npt_fault *fault,
								 uint64_t *slot, uint64_t entry)
{
	return break_zero_page(view, fault->gpa, slot, entry) ? handled(view) : serve_mapped(view, fault, slot, entry);
}

/* The same for a write under `auto`. */
static __attribute__((noinline)) enum fault_outcome write_mapped_auto(struct addr_space_view *view, const struct area *area,
								      const struct npt_fault *fault, uint64_t *slot)
{
	struct addr_space *as = view->as;

	if (!as->view.next && !as->cost.limit && copy_around(as, area, fault->gpa.raw, slot))
		return handled(view);
	return serve_mapped(view, fault, slot, area->page);
}

/* Fault in a table that is in the walk cache, in an area that permits the access. */
static enum fault_outcome serve_slot(struct addr_space_view *view, const struct area *area, const struct npt_fault *fault,
				     uint64_t *slot)
{
	if (__atomic_load_n(slot, __ATOMIC_RELAXED) == 0)
		return serve_empty(view, area, fault);
	if (area->fast_page >> fault->access & 1)
		return write_mapped(view, fault, slot, area->page);
	if (area->policy == ALLOC_LAZY_AUTO && fault->access & NPT_W)
		return write_mapped_auto(view, area, fault, slot);
	return serve_mapped(view, fault, slot, area->page);
}

/* Fault in a table that is not in the walk cache, or on a large leaf, in an area that permits the access. */
static __attribute__((noinline)) enum fault_outcome serve_by_walk(struct addr_space_view *view, const struct area *area,
								  const struct npt_fault *fault)
{
	struct npt_cursor cursor;
	enum npt_kind kind = npt_find_by(&view->as->npt, &view->cache, fault->gpa, &cursor);

	if (cursor.level == 0 && !cursor.shared)
		return serve_slot(view, area, fault, cursor.slot);
	if (kind == NPT_LEAF)
		return serve_leaf(view, &cursor, fault);
	if (kind == NPT_EMPTY && !cursor.shared && area->backend == AREA_ALLOC &&
	    (serve_table(view, area, &cursor, fault) || serve_block(view, area, &cursor, fault->gpa, fault->access)))
		return handled(view);
	return fault_serve(view, fault);
}

/* The slow path of a fault. */
static __attribute__((noinline)) enum fault_outcome handle_slowly(struct addr_space_view *view, const struct npt_fault *fault)
{
	const struct area *area = area_find(&view->as->areas, fault->gpa.raw);
	uint64_t *slot = npt_walk_cache_lookup(&view->cache, fault->gpa);

	if (!area || fault->access & ~(unsigned)area->attr.prot)
		return fault_serve(view, fault);
	return slot ? serve_slot(view, area, fault, slot) : serve_by_walk(view, area, fault);
}

/* The fast path of a read that the zero page may be shown to. Calls no function but at its end. */
static __attribute__((noinline)) enum fault_outcome show_zeros(struct addr_space_view *view, const struct npt_fault *fault)
{
	const struct area *area = area_hinted(&view->as->areas, fault->gpa.raw);
	struct page_slot page = { .slot = npt_walk_cache_lookup(&view->cache, fault->gpa) };

	if (!area_holds(area, fault->gpa.raw) || !page.slot || __atomic_load_n(page.slot, __ATOMIC_RELAXED) != 0)
		return handle_slowly(view, fault);
	page.place = npt_walk_cache_place(&view->cache, fault->gpa);
	return map_zero_page(view, area, fault->access, &page) ? handled(view) : handle_slowly(view, fault);
}

/* The fast path when no frame is ready: clears frames first. */
static __attribute__((noinline)) enum fault_outcome give_cleared(struct addr_space_view *view, const struct npt_fault *fault)
{
	struct page_slot page;

	if (!run_ready(view, false) || !find_page(view, fault, &page) || !give_page(view, &page))
		return handle_slowly(view, fault);
	return handled(view);
}

/* Calls no function but at its end, so that the compiler saves no register. */
static inline __attribute__((always_inline)) enum fault_outcome handle(struct addr_space_view *view, const struct npt_fault *fault)
{
	struct page_slot page;

	if (!find_page(view, fault, &page))
		return fault->access & NPT_W ? handle_slowly(view, fault) : show_zeros(view, fault);
	if (__atomic_load_n(page.slot, __ATOMIC_RELAXED) != 0)
		return write_mapped(view, fault, page.slot, page.entry);
	if (view->run.next == view->run.ready)
		return give_cleared(view, fault);
	if (!give_page(view, &page))
		return handle_slowly(view, fault);
	return handled(view);
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
