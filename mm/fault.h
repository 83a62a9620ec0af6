/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's fault on its way, and what it is served with. Private to mm/. */
#ifndef NESTLING_MM_FAULT_H
#define NESTLING_MM_FAULT_H

#include "include/arch/machine.h"
#include "mm/space.h"

struct fault {
	struct addr_space *as;
	const struct area *area;
	uint64_t gpa;
	unsigned access;
	struct npt_cursor cursor; /* the entry that decided */
	struct npt_leaf leaf;     /* what it maps, if it does */
};

/* --- fresh.c --- */

/* A block of frames of the space's own, zeroed, as a guest may see it. */
MUST_CHECK enum err guest_frame_alloc(struct addr_space *as, unsigned order, hpa_t *frame);
/* Give the empty entry at the cursor a leaf with memory of its own. */
MUST_CHECK enum err map_fresh(struct addr_space *as, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
			      unsigned level);
/* Let the empty entry at the cursor map the zero page, or at level 1 the large one. */
MUST_CHECK enum err map_zero(struct addr_space *as, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
			     unsigned level);
/* Let the fault's leaf map other memory, of the space's own, with the area's permissions. Flushes. */
void replace_leaf(struct fault *fault, hpa_t hpa, unsigned ad_bits);
/* The same for a leaf that maps a zero page. */
void replace_zero_leaf(struct fault *fault, hpa_t frame, unsigned ad_bits);
/* Zero-page break: memory in place of one leaf that maps a zero page, of the leaf's size. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err break_zero_leaf(struct fault *fault, unsigned ad_bits);
/* Walk to the 4 KiB leaf at the fault's address, splitting what is there. */
MUST_CHECK enum err reach_page(struct fault *fault);

/* --- fault_around.c: what an access to one page brings along --- */

/* The fault-around window: the pages around a fault that get memory, too. */
struct fault_around {
	uint64_t start, end;
	/* One bit for each page from `start` on: those that have memory, and those that map the zero page. */
	uint32_t memory, zeros;
};

/* What the area's policy wants for this fault: 4 KiB at least, 64 KiB at most, in one table. */
struct fault_around fault_around_of(const struct fault *fault);
static inline bool fault_around_is_single(const struct fault_around *window)
{
	return window->end - window->start == PAGE_SIZE;
}
/* Back all of the window, the page of the fault above all, at which nothing is. Errors: ERR_NO_MEMORY, for that page. */
MUST_CHECK enum err fault_around_fill(struct fault *fault, struct fault_around *window);
/*
 * The fast path of an area whose policy is 64 KiB: map the aligned 64 KiB around `gpa`, if nothing is mapped there and its table is
 * in the walk cache. False: nothing was changed; take the slow path.
 */
bool fault_around_give(struct addr_space *as, const struct area *area, uint64_t gpa);
/* Back what has no memory in the window, but for the page that has been served. It does no harm if memory runs out. */
void fault_around_fill_rest(struct addr_space *as, const struct area *area, struct fault_around *window);

#endif
