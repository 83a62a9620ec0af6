/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of ranges of memory: put in order, joined, taken from each other. */
#include "boot/extents.h"

#include <stdlib.h>

static int compare_ranges(const void *a, const void *b)
{
	const struct ram_range *left = a, *right = b;

	return left->start.raw < right->start.raw ? -1 : left->start.raw > right->start.raw;
}

void extents_join(struct extents *extents, uint64_t gap)
{
	size_t count = 0;

	for (size_t i = 0; i < extents->count; i++) {
		struct ram_range *last = count > 0 ? &extents->range[count - 1] : NULL, next = extents->range[i];

		if (last && (next.start.raw <= range_end(last) || next.start.raw - range_end(last) <= gap))
			last->size = max_u64(range_end(last), range_end(&next)) - last->start.raw;
		else
			extents->range[count++] = next;
	}
	extents->count = count;
}

void extents_normalise(struct extents *extents)
{
	qsort(extents->range, extents->count, sizeof(extents->range[0]), compare_ranges);
	extents_join(extents, 0);
}

void extents_subtract(struct extents *result, struct ram_range range, const struct extents *against)
{
	uint64_t end = range_end(&range), at = range.start.raw;

	for (size_t i = 0; i < against->count && at < end; i++) {
		const struct ram_range *other = &against->range[i];

		if (range_end(other) <= at)
			continue;
		if (other->start.raw >= end)
			break;
		if (other->start.raw > at)
			result->range[result->count++] = (struct ram_range){ HPA(at), other->start.raw - at };
		at = range_end(other);
	}
	if (at < end)
		result->range[result->count++] = (struct ram_range){ HPA(at), end - at };
}

uint64_t extents_gap_after(const struct extents *extents, size_t i)
{
	return extents->range[i + 1].start.raw - range_end(&extents->range[i]);
}

size_t extents_closest(const struct extents *extents)
{
	size_t best = 0;

	for (size_t i = 1; i + 1 < extents->count; i++)
		if (extents_gap_after(extents, i) < extents_gap_after(extents, best))
			best = i;
	return best;
}

size_t extents_smallest(const struct extents *extents)
{
	size_t best = 0;

	for (size_t i = 1; i < extents->count; i++)
		if (extents->range[i].size < extents->range[best].size)
			best = i;
	return best;
}

void extents_remove(struct extents *extents, size_t i)
{
	extents->count--;
	for (; i < extents->count; i++)
		extents->range[i] = extents->range[i + 1];
}

void extents_join_next(struct extents *extents, size_t i)
{
	extents->range[i].size = range_end(&extents->range[i + 1]) - extents->range[i].start.raw;
	extents_remove(extents, i + 1);
}

uint64_t extents_bytes(const struct extents *extents)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < extents->count; i++)
		bytes += extents->range[i].size;
	return bytes;
}
