/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of ranges of memory, in arrays that their owners have made large enough. */
#ifndef NESTLING_BOOT_EXTENTS_H
#define NESTLING_BOOT_EXTENTS_H

#include "mm/frame.h"

/* From extents_normalise on: in ascending order, disjoint, not touching. */
struct extents {
	struct ram_range *range;
	size_t count;
};

static inline uint64_t range_end(const struct ram_range *range)
{
	return range->start.raw + range->size;
}

/* Sort, and join what touches or overlaps. */
void extents_normalise(struct extents *extents);

/* Of a list in order, join what has no more than `gap` bytes between one and the next. */
void extents_join(struct extents *extents, uint64_t gap);

/* Add to `result` what of `range` lies in none of `against`, in order: so many ranges as those at most, and one more. */
void extents_subtract(struct extents *result, struct ram_range range, const struct extents *against);

/* The range with the smallest gap between it and the next, of two at least; and the smallest of all. */
size_t extents_closest(const struct extents *extents);
size_t extents_smallest(const struct extents *extents);
uint64_t extents_gap_after(const struct extents *extents, size_t i);

/* Join range `i` with the next one; remove range `i`. */
void extents_join_next(struct extents *extents, size_t i);
void extents_remove(struct extents *extents, size_t i);

uint64_t extents_bytes(const struct extents *extents);

#endif
