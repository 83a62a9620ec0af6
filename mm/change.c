/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of areas: unmap, discard, protect and set policy, on ranges. */
#include "mm/space.h"

/* For small functions on fast paths, where a call would take as long as the function itself. */
#define FAST static inline __attribute__((always_inline))

/* How many of the ends of [start, end) lie inside an area. */
static size_t missing_borders(struct addr_space *as, uint64_t start, uint64_t end)
{
	const struct area *first = area_find(&as->areas, start), *last = area_find(&as->areas, end - PAGE_SIZE);

	return (size_t)(first && first->start < start) + (size_t)(last && last->end > end);
}

/* Reserve structures for the splits at the ends of the range. A change of whole areas needs none, so it works without memory.
 */
FAST enum err reserve_borders(struct addr_space *as, uint64_t start, uint64_t end)
{
	return reserve_areas(as, 2) == ERR_OK ? ERR_OK : area_reserve(&as->areas, missing_borders(as, start, end));
}

/* --- Unmap -------------------------------------------------------------------------------------------------------- */

/*
 * The fast path: one page, whose table is in the walk cache and has other entries. False: nothing was changed; take the slow path.
 */
FAST bool remove_page(struct addr_space *as, uint64_t gpa, bool owned)
{
	uint64_t *slot = npt_walk_cache_lookup(&as->view.cache, GPA(gpa));
	hpa_t hpa;

	if (!slot || (owned && any_reservation(as)) || !npt_remove_page(&as->npt, GPA(gpa), slot, &hpa))
		return false;
	space_flush(as, GPA(gpa), PAGE_SIZE);
	if (owned && frame_is_zero_page(hpa))
		as->view.stats.zero_leaves[0]--;
	else if (owned)
		drop_page(as, hpa);
	return true;
}

/* Remove areas and leaves in [start, end). Leaves have been split at both ends, structures for two area splits reserved. */
static void remove_areas(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct area *area = area_find_from(&as->areas, start), *next;
	struct removal removal;

	npt_walk_cache_invalidate_fresh(&as->npt, start, end);
	removal_init(&removal, as);
	for (; area && area->start < end; area = next) {
		if (area->start < start) {
			area_split(&as->areas, area, start);
			next = area_next(area);
			continue;
		}
		if (area->end > end)
			area_split(&as->areas, area, end);
		next = area_next(area);
		remove_leaves(&removal, area->start, area->end, area->backend == AREA_ALLOC);
		area_remove(&as->areas, area);
	}
	removal_finish(&removal);
	reservations_drop(as);
	area_trim(&as->areas);
}

/* The slow path. Called with the lock held, which it releases. */
static __attribute__((noinline)) enum err unmap_range(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	enum err err = check_range(as, gpa, size);

	if (err == ERR_OK)
		err = reserve_borders(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = split_at_boundaries(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		remove_areas(as, gpa.raw, gpa.raw + size);
	space_unlock(as);
	return err;
}

enum err addr_space_unmap(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	struct area *area;

	space_lock(as);
	area = *area_hint(&as->areas, gpa.raw);
	/* A Linear area of one page. */
	if (size != PAGE_SIZE || area->start != gpa.raw || area->end != gpa.raw + size || area->backend != AREA_LINEAR ||
	    !remove_page(as, gpa.raw, false))
		return unmap_range(as, gpa, size);
	area_remove(&as->areas, area);
	space_unlock(as);
	return ERR_OK;
}

void addr_space_clear(struct addr_space *as)
{
	space_lock(as);
	remove_areas(as, 0, space_size(as));
	space_unlock(as);
}

bool addr_space_clear_piece(struct addr_space *as, gpa_t *at)
{
	uint64_t start = at->raw, end;
	struct removal removal;
	unsigned left = PIECE_COST;
	struct area *area, *next;

	space_lock(as);
	end = space_piece(as, start, space_size(as), &left);
	npt_walk_cache_invalidate_fresh(&as->npt, start, end);
	reservations_drop(as);
	removal_init(&removal, as);
	for (area = area_find_from(&as->areas, start); area && area->start < end; area = next) {
		next = area_next(area);
		remove_leaves(&removal, max_u64(area->start, start), min_u64(area->end, end), area->backend == AREA_ALLOC);
		if (area->end <= end)
			area_remove(&as->areas, area);
	}
	removal_finish(&removal);
	area_trim(&as->areas);
	space_unlock(as);
	at->raw = end;
	return end < space_size(as);
}

/* --- Areas change ------------------------------------------------------------------------------------------------- */

/* Do areas cover [start, end) without a hole? With `alloc`, none of them may be Linear. */
static enum err check_cover(struct addr_space *as, uint64_t start, uint64_t end, bool alloc)
{
	struct area *area = area_find(&as->areas, start);

	for (; start < end; start = area->end, area = area_next(area)) {
		if (!area || area->start > start)
			return ERR_NOT_FOUND;
		if (alloc && area->backend != AREA_ALLOC)
			return ERR_INVALID;
	}
	return ERR_OK;
}

/* May all areas of [start, end), which cover it, have `prot`? */
static enum err check_protect(struct addr_space *as, uint64_t start, uint64_t end, unsigned prot)
{
	struct area *area = area_find(&as->areas, start);
	enum err err = ERR_OK;

	for (; err == ERR_OK && area && area->start < end; area = area_next(area))
		err = npt_check(&as->npt, (struct npt_attr){ .prot = (uint8_t)prot, .memtype = area->attr.memtype });
	return err;
}

/* Split areas at both ends of the range, which areas cover; returns the first area in it. Two structures are reserved. */
static struct area *border_areas(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct area *first = area_find(&as->areas, start), *last;

	if (first->start < start) {
		area_split(&as->areas, first, start);
		first = area_next(first);
	}
	last = area_find(&as->areas, end - PAGE_SIZE);
	if (last->end > end)
		area_split(&as->areas, last, end);
	return first;
}

/* Join neighbours that have the same attributes now, in and around [start, end). */
static void join_areas(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct area *area = area_find_from(&as->areas, start > 0 ? start - 1 : 0);

	while (area && area->start < end) {
		if (!area_join_next(&as->areas, area))
			area = area_next(area);
	}
	area_trim(&as->areas);
}

/* Prepare a change of the areas of a range: check that it is permitted, and allocate all that it needs, so that it cannot fail. */
static enum err prepare_change(struct addr_space *as, gpa_t gpa, uint64_t size, bool alloc)
{
	enum err err = check_range(as, gpa, size);

	if (err == ERR_OK)
		err = check_cover(as, gpa.raw, gpa.raw + size, alloc);
	if (err == ERR_OK)
		err = reserve_borders(as, gpa.raw, gpa.raw + size);
	return err;
}

static enum err protect_range(struct addr_space *as, uint64_t start, uint64_t end, unsigned prot)
{
	struct npt_gather gather;
	struct area *area;
	enum err err;

	npt_gather_init(&gather, &as->npt);
	err = npt_protect(&as->npt, GPA(start), end - start, prot, &gather);
	npt_gather_finish(&gather);
	if (err != ERR_OK)
		return err;
	npt_walk_cache_invalidate_fresh(&as->npt, start, end);
	for (area = border_areas(as, start, end); area && area->start < end; area = area_next(area)) {
		area->attr.prot = (uint8_t)prot;
		set_fast_path(as, area);
	}
	join_areas(as, start, end);
	collapse_leaves_in_place(as, start, end);
	return ERR_OK;
}

enum err addr_space_protect(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot)
{
	enum err err;

	if (prot > NPT_RWX)
		return ERR_INVALID;
	space_lock(as);
	err = prepare_change(as, gpa, size, false);
	if (err == ERR_OK)
		err = check_protect(as, gpa.raw, gpa.raw + size, prot);
	if (err == ERR_OK)
		err = split_at_boundaries(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = protect_range(as, gpa.raw, gpa.raw + size, prot);
	space_unlock(as);
	return err;
}

static enum err change_policy(struct addr_space *as, uint64_t start, uint64_t end, enum alloc_policy policy)
{
	struct area *first = border_areas(as, start, end), *area;
	enum err err = ERR_OK;

	if (policy == ALLOC_POPULATE)
		for (area = first; err == ERR_OK && area && area->start < end; area = area_next(area))
			err = populate(as, area, area->start, area->end);
	npt_walk_cache_invalidate_fresh(&as->npt, start, end);
	if (err == ERR_OK)
		for (area = first; area && area->start < end; area = area_next(area)) {
			area->policy = (uint8_t)policy;
			set_fast_path(as, area);
		}
	join_areas(as, start, end);
	collapse_leaves_in_place(as, start, end);
	return err;
}

enum err addr_space_populate(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	uint64_t end = gpa.raw + size;
	struct area *area;
	enum err err;

	space_lock(as);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = check_cover(as, gpa.raw, end, true);
	if (err == ERR_OK)
		for (area = area_find(&as->areas, gpa.raw); err == ERR_OK && area && area->start < end; area = area_next(area))
			err = populate(as, area, max_u64(area->start, gpa.raw), min_u64(area->end, end));
	space_unlock(as);
	return err;
}

enum err addr_space_set_policy(struct addr_space *as, gpa_t gpa, uint64_t size, enum alloc_policy policy)
{
	enum err err;

	if (policy >= ALLOC_POLICIES)
		return ERR_INVALID;
	space_lock(as);
	err = prepare_change(as, gpa, size, true);
	/* No leaf ever lies across a boundary between areas. */
	if (err == ERR_OK)
		err = split_at_boundaries(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = change_policy(as, gpa.raw, gpa.raw + size, policy);
	space_unlock(as);
	return err;
}

static void discard_range(struct addr_space *as, uint64_t start, uint64_t end)
{
	uint64_t before = space_resident(as) + as->view.stats.shared;
	struct removal removal;

	if (end - start != PAGE_SIZE || !remove_page(as, start, true)) {
		removal_init(&removal, as);
		remove_leaves(&removal, start, end, true);
		removal_finish(&removal);
		reservations_drop(as);
	}
	as->view.stats.discarded += before - space_resident(as) - as->view.stats.shared;
}

enum err addr_space_discard(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	enum err err;

	space_lock(as);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = check_cover(as, gpa.raw, gpa.raw + size, true);
	if (err == ERR_OK)
		err = split_at_boundaries(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		discard_range(as, gpa.raw, gpa.raw + size);
	space_unlock(as);
	return err;
}
