/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's fault while it is served, and the operations that serve it. Private to mm/; called with the space's lock held. */
#ifndef NESTLING_MM_FAULT_H
#define NESTLING_MM_FAULT_H

#include "include/arch/machine.h"
#include "mm/space.h"

struct fault {
	struct addr_space *as;
	struct addr_space_view *view;
	const struct area *area;
	uint64_t gpa;
	unsigned access;
	struct npt_cursor cursor; /* the entry at which the walk ended */
	struct npt_leaf leaf;     /* the decoded leaf, if the entry is one */
};

/* Does the area's policy map memory, and the zero page, by leaves of 2 MiB? */
static inline bool wants_blocks(const struct area *area)
{
	return area->policy == ALLOC_LAZY_2M || area->policy == ALLOC_POPULATE;
}

static inline bool wants_large_zeros(const struct area *area)
{
	return wants_blocks(area) || area->policy == ALLOC_LAZY_AUTO;
}

/* --- fault.c --- */

/*
 * Serve a fault with the space locked. Called with the view's lock, which it lets go of. What was seen before the call may have
 * changed since.
 */
enum fault_outcome fault_serve(struct addr_space_view *view, const struct npt_fault *fault);
/* Promote the block around `gpa`, which has just got memory, if it is due. Locks as fault_serve. */
void fault_promote(struct addr_space_view *view, uint64_t gpa);

/*
 * Is nothing missing for this access to the leaf, in an area that permits it? Then another CPU was first, or this CPU has a stale
 * translation.
 */
static inline bool leaf_permits(const struct addr_space *as, const struct npt_leaf *leaf, unsigned access)
{
	return !(access & ~(unsigned)leaf->attr.prot) && !leaf->access_tracked &&
	       !(access & NPT_X && leaf->level > 0 && as->npt.config.page_exec);
}

/* The guest is about to use the page, which still holds only zeros: reclaim must leave it alone for a while. The view's lock. */
static inline void note_recent(struct addr_space_view *view, uint64_t gpa)
{
	view_settle(view);
	view->recent[view->given++ % ADDR_SPACE_RECENT] = align_down(gpa, PAGE_SIZE);
}

/* --- fresh.c --- */

/* Allocate a block of frames for guest memory: owned by the space, zeroed and published. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err guest_frame_alloc(struct addr_space_view *view, unsigned order, hpa_t *frame);
/* The same for a block of 2 MiB with the view's lock, if the space has no limit. */
MUST_CHECK enum err guest_block_alloc(struct addr_space_view *view, hpa_t *block);
/* Map fresh memory by a leaf of `level` at the empty entry at the cursor. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err map_fresh(struct addr_space_view *view, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
			      unsigned level);
/* Map the zero page, or at level 1 the large zero page, at the empty entry at the cursor. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err map_zero(struct addr_space *as, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
			     unsigned level);
/* Make the fault's leaf map `hpa`, memory owned by the space, with the area's permissions. Flushes. */
void replace_leaf(struct fault *fault, hpa_t hpa, unsigned ad_bits);
/* The same for a leaf that maps a zero page. */
void replace_zero_leaf(struct fault *fault, hpa_t frame, unsigned ad_bits);
/* Zero-page break: replace the leaf, which maps a zero page, by one of the same size with fresh memory. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err break_zero_leaf(struct fault *fault, unsigned ad_bits);
/* Split a large leaf at the fault's address, and walk to the 4 KiB leaf. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err reach_page(struct fault *fault);

/* --- fault_copy.c --- */

/* Copy the page at `old` to the frame that it was given (frame_alloc_copy), and let the entry at `slot` map that. `entry` is
 * npt_page_entry of its area. Flushes. */
void fault_copy_to(struct addr_space *as, gpa_t gpa, uint64_t *slot, uint64_t entry, hpa_t old, const struct frame_copy *copy);
/*
 * Copy-on-write break, or reuse, of the page at `slot` with the view's lock, if it is the only one of a space without a limit;
 * `entry` is npt_page_entry of its area, which permits to write. False: nothing was changed; take the slow path.
 */
bool fault_copy_page(struct addr_space_view *view, gpa_t gpa, uint64_t *slot, uint64_t entry);

/* --- copy_around.c --- */

/*
 * Copy-on-write break of the page at `slot` and of those after it that a sequence of writes is about to come to, in an area whose
 * policy is `auto`: all of them are pages of a file. With the space's lock, or that of its only view. False: nothing was changed;
 * copy the page alone.
 */
bool copy_around(struct addr_space *as, const struct area *area, uint64_t gpa, uint64_t *slot);

/* --- fault_around.c --- */

/* The fault-around window: the pages around a fault that get memory with it. */
struct fault_around {
	uint64_t start, end;
	/* One bit for each page from `start` on: those that have memory, and those that map the zero page. */
	uint32_t memory, zeros;
};

/* The window that the area's policy gives this fault: 4 KiB at least, 64 KiB at most, in one table. */
struct fault_around fault_around_of(const struct fault *fault);
static inline bool fault_around_is_single(const struct fault_around *window)
{
	return window->end - window->start == PAGE_SIZE;
}
/* Map memory in all of the window. The page of the fault is not mapped yet. Errors: ERR_NO_MEMORY, only if that page got none. */
MUST_CHECK enum err fault_around_fill(struct fault *fault, struct fault_around *window);
/*
 * For an area whose policy is 64 KiB, with the view's lock: map the aligned 64 KiB around `gpa`, if nothing is mapped there and its
 * table is in the walk cache. False: nothing was changed; take the slow path.
 */
bool fault_around_give(struct addr_space_view *view, const struct area *area, uint64_t gpa);
/*
 * The same for an area whose policy is `auto`: map its window around `gpa`, of which `*last` is the last page, if all of it is
 * empty and in one table that is in the walk cache, and no new memory need be reserved.
 */
bool fault_around_give_auto(struct addr_space_view *view, const struct area *area, uint64_t gpa, uint64_t *last);
/* Map memory for the pages of the window that have none, after the page of the fault was served. Stops silently without memory. */
void fault_around_fill_rest(struct addr_space_view *view, const struct area *area, struct fault_around *window);

#endif
