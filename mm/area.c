/* SPDX-License-Identifier: BSD-2-Clause */
/* The ordered set of areas: a red-black tree over structures that are carved from frames. */
#include "mm/area.h"

#include "include/panic.h"
#include "mm/frame.h"

static int area_compare(const struct area *a, const struct area *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
RB_GENERATE_STATIC(area_tree, area, link, area_compare)
#pragma GCC diagnostic pop

/* The first structure of a chunk's frame links the chunks; the others are spare. */
struct chunk {
	hpa_t next;
	struct area areas[];
};

static void spare_push(struct area_set *set, struct area *area)
{
	RB_LEFT(area, link) = set->spare;
	set->spare = area;
	set->spares++;
}

static enum err add_chunk(struct area_set *set)
{
	struct chunk *chunk;
	hpa_t frame;
	enum err err = frame_alloc(0, &frame);

	if (err != ERR_OK)
		return err;
	chunk = frame_ptr(frame);
	chunk->next = set->chunks;
	set->chunks = frame;
	for (size_t i = 0; i < (PAGE_SIZE - sizeof(*chunk)) / sizeof(chunk->areas[0]); i++)
		spare_push(set, &chunk->areas[i]);
	return ERR_OK;
}

static void reset(struct area_set *set)
{
	*set = (struct area_set){ .tree = RB_INITIALIZER(&set->tree) };
	for (size_t i = 0; i < AREA_HINTS; i++)
		set->hint[i] = &set->none;
}

enum err area_set_init(struct area_set *set)
{
	reset(set);
	return add_chunk(set);
}

void area_set_free(struct area_set *set)
{
	while (set->chunks.raw != 0) {
		hpa_t frame = set->chunks;

		set->chunks = ((struct chunk *)frame_ptr(frame))->next;
		frame_free(frame, 0);
	}
	reset(set);
}

enum err area_reserve(struct area_set *set, size_t count)
{
	while (set->spares < count) {
		enum err err = add_chunk(set);

		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

void area_insert(struct area_set *set, const struct area *area)
{
	struct area *new = set->spare;

	if (!new)
		panic("area: inserting without a reservation");
	set->spare = RB_LEFT(new, link);
	set->spares--;
	*new = *area;
	RB_INSERT(area_tree, &set->tree, new);
}

void area_remove(struct area_set *set, struct area *area)
{
	RB_REMOVE(area_tree, &set->tree, area);
	area->start = area->end = 0;
	spare_push(set, area);
}

struct area *area_find_from(struct area_set *set, uint64_t gpa)
{
	struct area *area = RB_ROOT(&set->tree), *above = NULL;

	while (area) {
		if (gpa < area->start) {
			above = area;
			area = RB_LEFT(area, link);
		} else if (gpa < area->end) {
			return area;
		} else {
			area = RB_RIGHT(area, link);
		}
	}
	return above;
}

struct area *area_search(struct area_set *set, uint64_t gpa)
{
	struct area *area = area_find_from(set, gpa);

	if (!area || gpa < area->start)
		return NULL;
	set->hint[(gpa >> AREA_HINT_SHIFT) % AREA_HINTS] = area;
	return area;
}

struct area *area_next(struct area *area)
{
	return RB_NEXT(area_tree, NULL, area);
}

void area_split(struct area_set *set, struct area *area, uint64_t at)
{
	struct area upper = *area;

	upper.start = at;
	area->end = at;
	area_insert(set, &upper);
}

bool area_join_next(struct area_set *set, struct area *area)
{
	struct area *next = area_next(area);

	if (!next || next->start != area->end || next->backend != area->backend || next->policy != area->policy ||
	    next->attr.prot != area->attr.prot || next->attr.memtype != area->attr.memtype)
		return false;
	area->end = next->end;
	area_remove(set, next);
	return true;
}
