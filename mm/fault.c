/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serves a guest's faults, with the space locked: maps memory where an area permits the access, in the size that the area's policy
 * asks for.
 */
#include "mm/fault.h"

#include "include/panic.h"

/* --- First touch -------------------------------------------------------------------------------------------------- */

/* Can a 2 MiB leaf be mapped at the entry where the walk ended? */
static bool block_fits(const struct fault *fault)
{
	return fault->cursor.level >= BLOCK_LEVEL && block_in_area(fault->as, fault->area, fault->gpa);
}

static enum err read_untouched(struct fault *fault)
{
	struct addr_space *as = fault->as;
	const struct area *area = fault->area;
	struct fault_around window;
	enum err err;

	as->view.stats.handled_zero++;
	if (wants_large_zeros(area) && block_fits(fault) && map_zero(as, area, &fault->cursor, fault->gpa, BLOCK_LEVEL) == ERR_OK)
		return ERR_OK;
	err = map_zero(as, area, &fault->cursor, fault->gpa, 0);
	if (err != ERR_OK)
		as->view.stats.handled_zero--;
	if (err != ERR_OK || area->policy != ALLOC_LAZY_64K)
		return err;
	window = fault_around_of(fault);
	for (uint64_t at = window.start; at < window.end; at += PAGE_SIZE)
		if (npt_find(&as->npt, GPA(at), &fault->cursor) == NPT_EMPTY && map_zero(as, area, &fault->cursor, at, 0) != ERR_OK)
			break;
	return ERR_OK;
}

static enum err write_untouched_page(struct fault *fault)
{
	return map_fresh(fault->view, fault->area, &fault->cursor, fault->gpa, 0);
}

static enum err write_untouched_window(struct fault *fault)
{
	struct fault_around window = fault_around_of(fault);
	enum err err = fault_around_is_single(&window) ? write_untouched_page(fault) : fault_around_fill(fault, &window);

	if (err == ERR_OK)
		promote_if_dense(fault->view, fault->area, window.end - PAGE_SIZE, true);
	return err;
}

static enum err write_untouched(struct fault *fault)
{
	enum err err;

	if (fault->area->policy == ALLOC_LAZY_4K)
		err = write_untouched_page(fault);
	else if (wants_blocks(fault->area) && block_fits(fault) &&
		 map_fresh(fault->view, fault->area, &fault->cursor, fault->gpa, BLOCK_LEVEL) == ERR_OK)
		err = ERR_OK;
	else
		err = write_untouched_window(fault);
	if (err == ERR_OK)
		note_recent(fault->view, fault->gpa);
	return err;
}

/* --- Zero-page break and copy-on-write break ---------------------------------------------------------------------- */

/* The accessed and dirty bits of a page that the guest is writing to. */
#define WRITTEN (NPT_ACCESSED | NPT_DIRTY)

/*
 * Zero-page break of the page, then fault-around. The frame is allocated before a large leaf is split: without a frame nothing is
 * changed.
 */
static enum err break_zero_page(struct fault *fault)
{
	struct fault_around window;
	hpa_t frame;
	enum err err = guest_frame_alloc(fault->view, 0, &frame);

	if (err != ERR_OK)
		return err;
	if (fault->leaf.level > 0) {
		err = reach_page(fault);
		if (err != ERR_OK) {
			give_back(fault->as, frame.raw, frame.raw + PAGE_SIZE);
			return err;
		}
	}
	window = fault_around_of(fault);
	replace_zero_leaf(fault, frame, WRITTEN);
	if (!fault_around_is_single(&window))
		fault_around_fill_rest(fault->view, fault->area, &window);
	promote_if_dense(fault->view, fault->area, window.end - PAGE_SIZE, false);
	return ERR_OK;
}

static enum err break_zero(struct fault *fault)
{
	enum err err = ERR_NO_MEMORY;

	if (fault->leaf.level > 0 && wants_blocks(fault->area))
		err = break_zero_leaf(fault, WRITTEN);
	if (err != ERR_OK)
		err = break_zero_page(fault);
	if (err == ERR_OK) {
		note_recent(fault->view, fault->gpa);
		fault->as->view.stats.handled_unzero++;
	}
	return err;
}

/* No other space uses the memory any more: this space becomes its owner. Under a limit it was in use before, too, and nobody's. */
static void reuse_cow_leaf(struct fault *fault)
{
	struct addr_space *as = fault->as;
	unsigned order = level_order(fault->leaf.level);
	uint64_t gained = frame_take_over(fault->leaf.hpa, order, as->id);

	as->view.stats.shared -= gained;
	count_resident(as, gained);
	limit_settle(as);
	cost_orphans(as, -(int64_t)gained);
	npt_touch(&as->npt, &fault->cursor, fault->area->attr.prot, WRITTEN);
	as->view.stats.handled_reuse++;
}

static void copy_cow_page(struct fault *fault, struct frame_copy copy)
{
	fault_copy_to(fault->as, GPA(fault->gpa), fault->cursor.slot, fault->area->page, fault->leaf.hpa, &copy);
}

/* A frame for a copy of the page, if it is shared. Errors: ERR_NO_MEMORY. */
static enum err frame_for_copy(struct addr_space *as, hpa_t page, struct frame_copy *copy)
{
	enum err err = frame_alloc_copy(page, as->id, copy);

	if (err != ERR_OK && held_drop(as))
		err = frame_alloc_copy(page, as->id, copy);
	if (err != ERR_OK || copy->frame.raw == 0 || cost_fits(as, PAGE_SIZE))
		return err;
	frame_free(copy->frame, 0);
	return ERR_NO_MEMORY;
}

/*
 * Copy-on-write break of one page. The frame is allocated before a large leaf is split: without a frame nothing is changed. Of a
 * large leaf, other spaces may share only some pages.
 */
static enum err break_cow_page(struct fault *fault)
{
	hpa_t page = HPA(fault->leaf.hpa.raw + align_down(fault->gpa - fault->leaf.gpa.raw, PAGE_SIZE));
	struct frame_copy copy;
	enum err err;

	if (fault->area->policy == ALLOC_LAZY_AUTO && fault->leaf.level == 0 &&
	    copy_around(fault->as, fault->area, fault->gpa, fault->cursor.slot))
		return ERR_OK;
	err = frame_for_copy(fault->as, page, &copy);
	if (err != ERR_OK)
		return err;
	if (fault->leaf.level > 0)
		err = reach_page(fault);
	if (err != ERR_OK && copy.frame.raw != 0)
		frame_free(copy.frame, 0);
	else if (err == ERR_OK && copy.frame.raw != 0)
		copy_cow_page(fault, copy);
	else if (err == ERR_OK)
		reuse_cow_leaf(fault);
	return err;
}

static enum err break_cow(struct fault *fault)
{
	unsigned level = fault->leaf.level;

	if (frame_is_zero_page(fault->leaf.hpa))
		return break_zero(fault);
	if (level == 0 || frame_is_shared(fault->leaf.hpa, level_order(level)))
		return break_cow_page(fault);
	reuse_cow_leaf(fault);
	return ERR_OK;
}

/* --- The fault ---------------------------------------------------------------------------------------------------- */

/* An instruction fetch from a large leaf, where only 4 KiB leaves may execute (npt_config.page_exec): split it. */
static enum fault_outcome fetch_from_block(struct fault *fault)
{
	if (reach_page(fault) != ERR_OK)
		return FAULT_NO_MEMORY;
	npt_touch(&fault->as->npt, &fault->cursor, 0, NPT_ACCESSED);
	fault->as->view.stats.handled_tracked++;
	return FAULT_HANDLED;
}

static enum fault_outcome serve_shared(struct fault *fault)
{
	note_shared_leaf(fault->as, &fault->cursor, &fault->leaf);
	return break_cow(fault) == ERR_OK ? FAULT_HANDLED : FAULT_NO_MEMORY;
}

/* The walk ended at a leaf, and the area permits the access. */
static enum fault_outcome serve_leaf(struct fault *fault)
{
	unsigned missing = fault->access & ~(unsigned)fault->leaf.attr.prot;

	if (leaf_permits(fault->as, &fault->leaf, fault->access))
		return FAULT_SPURIOUS;
	if (fault->access & NPT_X && fault->leaf.level > 0 && fault->as->npt.config.page_exec)
		return fetch_from_block(fault);
	if (missing & NPT_W && fault->leaf.attr.shared)
		return serve_shared(fault);
	/* Software keeps the accessed and dirty bits, and this access sets one of them. */
	npt_touch(&fault->as->npt, &fault->cursor, missing, fault->access & NPT_W ? WRITTEN : NPT_ACCESSED);
	fault->as->view.stats.handled_tracked++;
	return FAULT_HANDLED;
}

/*
 * A write to a shared page, which is known by its entry: as it was met last. False: look closely. What is not set of the leaf is
 * not read for such a page.
 */
static inline bool meets_shared_page(struct fault *fault)
{
	const struct addr_space *as = fault->as;
	const struct npt_page_format *page = &as->npt.page;

	if (!(fault->access & NPT_W) || fault->cursor.level > 0 || (fault->cursor.pte & page->fixed) != as->shared_leaf[0])
		return false;
	fault->leaf.gpa = GPA(align_down(fault->gpa, PAGE_SIZE));
	fault->leaf.hpa = HPA((fault->cursor.pte & page->address) << page->shift);
	fault->leaf.level = 0;
	return true;
}

/* Walk to the entry. If it is in a shared table and is to be changed, the table becomes the space's own. NPT_SHARED: it cannot. */
static enum npt_kind find_entry(struct fault *fault)
{
	struct npt *npt = &fault->as->npt;
	enum npt_kind kind = npt_find(npt, GPA(fault->gpa), &fault->cursor);

	if (__builtin_expect(!fault->cursor.shared, true))
		return kind;
	if (kind == NPT_LEAF) {
		npt_decode(npt, &fault->cursor, GPA(fault->gpa), &fault->leaf);
		if (leaf_permits(fault->as, &fault->leaf, fault->access))
			return kind;
	}
	return npt_own_table(npt, GPA(fault->gpa)) == ERR_OK ? npt_find(npt, GPA(fault->gpa), &fault->cursor) : NPT_SHARED;
}

static enum fault_outcome serve_fault(struct addr_space_view *view, const struct npt_fault *npt_fault, const struct area *area)
{
	struct addr_space *as = view->as;
	struct fault fault; /* not cleared, to save time: cursor and leaf are set before they are read */
	enum err err;

	fault.as = as;
	fault.view = view;
	fault.gpa = npt_fault->gpa.raw;
	fault.access = npt_fault->access;
	fault.area = area;
	if (!area)
		return FAULT_UNMAPPED;
	if (fault.access & ~(unsigned)fault.area->attr.prot)
		return FAULT_DENIED;
	switch (find_entry(&fault)) {
	case NPT_SHARED:
		return FAULT_NO_MEMORY;
	case NPT_EMPTY:
		if (fault.area->backend != AREA_ALLOC)
			return FAULT_UNMAPPED;
		err = fault.access & NPT_W ? write_untouched(&fault) : read_untouched(&fault);
		return err == ERR_OK ? FAULT_HANDLED : FAULT_NO_MEMORY;
	case NPT_LEAF:
		if (meets_shared_page(&fault))
			return break_cow(&fault) == ERR_OK ? FAULT_HANDLED : FAULT_NO_MEMORY;
		npt_decode(&as->npt, &fault.cursor, npt_fault->gpa, &fault.leaf);
		return serve_leaf(&fault);
	default:
		panic("addr_space: malformed entry %#lx for %#lx", fault.cursor.pte, fault.gpa);
	}
}

static enum fault_outcome serve(struct addr_space_view *view, const struct npt_fault *fault)
{
	struct addr_space *as = view->as;
	const struct area *area = area_find(&as->areas, fault->gpa.raw);
	enum fault_outcome outcome;

	do {
		outcome = serve_fault(view, fault, area);
	} while (outcome == FAULT_NO_MEMORY && reclaim(as));
	if (outcome != FAULT_HANDLED) {
		view->stats.faults[outcome]++;
	} else if (holds_block(area, fault->gpa.raw)) {
		struct npt_cursor cursor;

		if (view != &as->view)
			npt_find_by(&as->npt, &view->cache, fault->gpa, &cursor);
		npt_walk_cache_insert_fresh(&view->cache, fault->gpa, area->fast_page, area->page);
	}
	return outcome;
}

enum fault_outcome fault_serve(struct addr_space_view *view, const struct npt_fault *fault)
{
	struct addr_space *as = view->as;
	enum fault_outcome outcome;

	space_lock_from(view);
	outcome = serve(view, fault);
	space_unlock(as);
	return outcome;
}

void fault_promote(struct addr_space_view *view, uint64_t gpa)
{
	struct addr_space *as = view->as;
	const struct area *area;

	space_lock_from(view);
	area = area_find(&as->areas, gpa);
	if (area && area->backend == AREA_ALLOC)
		promote_if_dense(view, area, gpa, true);
	space_unlock(as);
}

const char *fault_outcome_name(enum fault_outcome outcome)
{
	static const char *const names[] = {
		[FAULT_HANDLED] = "handled",   [FAULT_SPURIOUS] = "spurious",   [FAULT_DENIED] = "denied",
		[FAULT_UNMAPPED] = "unmapped", [FAULT_NO_MEMORY] = "no_memory",
	};

	return names[outcome];
}
