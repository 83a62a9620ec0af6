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

/* --- fault.c --- */

/* A block of frames of the space's own, zeroed, as a guest may see it. */
MUST_CHECK enum err guest_frame_alloc(struct addr_space *as, unsigned order, hpa_t *frame);
/* Give the empty entry at the cursor a leaf with memory of its own. */
MUST_CHECK enum err map_fresh(struct addr_space *as, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
			      unsigned level);
/* Memory in place of one leaf of zeros, of the leaf's size. */
MUST_CHECK enum err unzero_leaf(struct fault *fault, unsigned marks);
/* Walk to the 4 KiB leaf at the fault's address, splitting what is there. */
MUST_CHECK enum err reach_page(struct fault *fault);

/* --- window.c: what an access to one page brings along --- */

/* The pages around a fault that are to have memory, too. */
struct window {
	uint64_t start, end;
	/* A bit a page, from `start` on: what has memory, and what shows zeros. */
	uint32_t memory, zeros;
};

/* What the area's policy wants for this fault: 4 KiB at least, 64 KiB at most, in one table. */
struct window window_of(const struct fault *fault);
static inline bool window_is_alone(const struct window *window)
{
	return window->end - window->start == PAGE_SIZE;
}
/* Back all of the window, the page of the fault above all, at which nothing is. Errors: ERR_NO_MEMORY, for that page. */
MUST_CHECK enum err window_fill(struct fault *fault, struct window *window);
/*
 * Give an area whose policy is 64 KiB that much around `gpa`, by the short way: where nothing is, in a table that is known. False: it is
 * another case, and nothing was changed.
 */
bool window_give(struct addr_space *as, const struct area *area, uint64_t gpa);
/* Back what has no memory in the window, but for the page that has been served. It does no harm if memory runs out. */
void window_fill_rest(struct addr_space *as, const struct area *area, struct window *window);

#endif
