/* SPDX-License-Identifier: BSD-2-Clause */
/* The ordered set of areas: a skip list over structures that are carved from frames. */
#include "mm/area.h"

#include "mm/frame.h"

/* --- Structures --------------------------------------------------------------------------------------------------- */

/* The first structure of a chunk links the chunks; the others are free at first. */
struct chunk {
	hpa_t next;
	unsigned free_count; /* for area_trim_now */
	struct area areas[] __attribute__((aligned(sizeof(struct area))));
};

#define CHUNK_AREAS ((PAGE_SIZE - sizeof(struct chunk)) / sizeof(struct area))

static bool is_inline(const struct area_set *set, const struct area *area)
{
	return area >= set->inline_areas && area < set->inline_areas + AREA_INLINE;
}

/* Of a structure that is not inline. */
static struct chunk *chunk_of(const struct area *area)
{
	return (struct chunk *)align_down((uintptr_t)area, PAGE_SIZE);
}

/* Allocate frames and account for them. */
static enum err take(struct area_set *set, unsigned order, hpa_t *frames)
{
	enum err err;

	if (set->account && !set->account->charge(set, PAGE_SIZE << order))
		return ERR_NO_MEMORY;
	err = frame_alloc_need(FRAME_CALL, order, 0, frames);
	if (err != ERR_OK && set->account)
		set->account->uncharge(set, PAGE_SIZE << order);
	return err;
}

static void give(struct area_set *set, hpa_t frames, unsigned order)
{
	frame_free(frames, order);
	if (set->account)
		set->account->uncharge(set, PAGE_SIZE << order);
}

/* A free structure is given an empty range, so that a hint that still points to it never matches. */
static void drop(struct area_set *set, struct area *area)
{
	area->start = area->end = 0;
	area->next = area;
	area->up = set->free_list;
	set->free_list = area;
	set->free_count++;
}

static enum err add_chunk(struct area_set *set)
{
	struct chunk *chunk;
	hpa_t frame;
	enum err err = take(set, 0, &frame);

	if (err != ERR_OK)
		return err;
	chunk = frame_ptr(frame);
	chunk->next = set->chunks;
	set->chunks = frame;
	if (set->trimmed < set->structures)
		set->trimmed = set->structures;
	set->structures += CHUNK_AREAS;
	for (size_t i = 0; i < CHUNK_AREAS; i++)
		drop(set, &chunk->areas[i]);
	return ERR_OK;
}

/* --- Hints -------------------------------------------------------------------------------------------------------- */

/* The order of the frame block for `count` hints. */
static unsigned hint_order(uint64_t count)
{
	return (unsigned)__builtin_ctzll(count * sizeof(struct area *) / PAGE_SIZE);
}

static void use_hints(struct area_set *set, struct area **hint, uint64_t count)
{
	set->hint = hint;
	set->hint_mask = count - 1;
	set->hint_shift = PAGE_SHIFT;
	for (uint64_t i = 0; i < count; i++)
		hint[i] = &set->level[0];
}

static void free_hints(struct area_set *set)
{
	if (set->hint_frames.raw != 0)
		give(set, set->hint_frames, hint_order(set->hint_mask + 1));
	set->hint_frames = HPA(0);
}

/* Make the number of hints four times as large; without memory for that it stays. */
static void more_hints(struct area_set *set)
{
	uint64_t count = 4 * (set->hint_mask + 1);
	hpa_t frames;

	if (take(set, hint_order(count), &frames) != ERR_OK)
		return;
	free_hints(set);
	set->hint_frames = frames;
	use_hints(set, frame_ptr(frames), count);
}

/* Reduce the hints to what the number of structures needs; without memory for that, to the inline ones. All hints are cleared. */
static void fewer_hints(struct area_set *set)
{
	uint64_t count = set->hint_mask + 1;
	hpa_t frames;

	while (count > AREA_INLINE_HINTS && set->structures < count / 8)
		count /= 4;
	if (count == set->hint_mask + 1) {
		use_hints(set, set->hint, count);
		return;
	}
	free_hints(set);
	use_hints(set, set->inline_hints, AREA_INLINE_HINTS);
	if (count == AREA_INLINE_HINTS || take(set, hint_order(count), &frames) != ERR_OK)
		return;
	set->hint_frames = frames;
	use_hints(set, frame_ptr(frames), count);
}

/* Choose hint_shift so that the hints cover the range from the first area to the last, as far as possible. */
static void spread_hints(struct area_set *set)
{
	uint64_t last = set->level[0].prev->end - 1 - set->level[0].next->start;
	unsigned shift = __atomic_load_n(&set->hint_shift, __ATOMIC_RELAXED);

	while (shift < AREA_HINT_MAX_SHIFT && last >> shift > set->hint_mask)
		shift++;
	__atomic_store_n(&set->hint_shift, shift, __ATOMIC_RELAXED);
}

/* --- The set ------------------------------------------------------------------------------------------------------ */

void area_set_init(struct area_set *set, const struct area_account *account)
{
	*set = (struct area_set){ .top = &set->level[0], .random = 1, .account = account };
	for (unsigned i = 0; i < AREA_LEVELS; i++) {
		struct area *head = &set->level[i];

		head->next = head->prev = head;
		head->start = UINT64_MAX;
		head->up = i + 1 < AREA_LEVELS ? head + 1 : NULL;
		head->down = i > 0 ? head - 1 : NULL;
	}
	set->structures = AREA_INLINE;
	for (size_t i = 0; i < AREA_INLINE; i++)
		drop(set, &set->inline_areas[i]);
	use_hints(set, set->inline_hints, AREA_INLINE_HINTS);
}

void area_set_free(struct area_set *set)
{
	free_hints(set);
	while (set->chunks.raw != 0) {
		hpa_t frame = set->chunks;

		set->chunks = ((struct chunk *)frame_ptr(frame))->next;
		give(set, frame, 0);
	}
	area_set_init(set, set->account);
}

uint64_t area_set_bytes(const struct area_set *set)
{
	uint64_t hints = set->hint_frames.raw != 0 ? PAGE_SIZE << hint_order(set->hint_mask + 1) : 0;

	return (set->structures - AREA_INLINE) / CHUNK_AREAS * PAGE_SIZE + hints;
}

/* Count the free structures of each chunk. */
static void count_free(struct area_set *set)
{
	for (hpa_t frame = set->chunks; frame.raw != 0; frame = ((struct chunk *)frame_ptr(frame))->next)
		((struct chunk *)frame_ptr(frame))->free_count = 0;
	for (const struct area *area = set->free_list; area; area = area->up)
		if (!is_inline(set, area))
			chunk_of(area)->free_count++;
}

/* If all free structures are in empty chunks, keep one of these chunks for the next area. */
static void keep_one(struct area_set *set)
{
	for (const struct area *area = set->free_list; area; area = area->up)
		if (is_inline(set, area) || chunk_of(area)->free_count < CHUNK_AREAS)
			return;
	chunk_of(set->free_list)->free_count = 0;
}

/* Remove the structures of empty chunks from the free list. */
static void keep_free(struct area_set *set)
{
	struct area **link = &set->free_list;

	for (struct area *area = set->free_list; area; area = area->up) {
		if (!is_inline(set, area) && chunk_of(area)->free_count == CHUNK_AREAS) {
			set->free_count--;
		} else {
			*link = area;
			link = &area->up;
		}
	}
	*link = NULL;
}

static void free_empty_chunks(struct area_set *set)
{
	hpa_t *link = &set->chunks;

	while (link->raw != 0) {
		hpa_t frame = *link;
		struct chunk *chunk = frame_ptr(frame);

		if (chunk->free_count < CHUNK_AREAS) {
			link = &chunk->next;
			continue;
		}
		*link = chunk->next;
		set->structures -= CHUNK_AREAS;
		give(set, frame, 0);
	}
}

void area_trim_now(struct area_set *set)
{
	if (set->chunks.raw != 0) {
		count_free(set);
		keep_one(set);
		keep_free(set);
		free_empty_chunks(set);
		fewer_hints(set);
	}
	set->trimmed = set->structures - set->free_count;
}

enum err area_add_structures(struct area_set *set, size_t count)
{
	while (set->free_count < count) {
		enum err err = add_chunk(set);

		if (err != ERR_OK)
			return err;
	}
	if (set->structures > 2 * (set->hint_mask + 1))
		more_hints(set);
	return ERR_OK;
}

struct area *area_search(struct area_set *set, uint64_t page)
{
	struct area *at = set->top;

	for (;;) {
		while (at->next->start <= page)
			at = at->next;
		if (!at->down)
			break;
		at = at->down;
	}
	spread_hints(set);
	__atomic_store_n(area_hint(set, page), at, __ATOMIC_RELAXED);
	return at;
}

struct area *area_find_slowly(struct area_set *set, uint64_t gpa)
{
	struct area *area = area_before(set, gpa);

	return area_holds(area, gpa) ? area : NULL;
}

struct area *area_find_from(struct area_set *set, uint64_t gpa)
{
	struct area *area = area_before(set, gpa);

	return area_holds(area, gpa) ? area : area_next(area);
}

static void link_behind(struct area *before, struct area *area)
{
	area->next = before->next;
	area->prev = before;
	before->next->prev = area;
	before->next = area;
}

/* Give the area nodes in a random number of levels, as far as there are free structures that are not reserved. */
static __attribute__((noinline)) void raise_area(struct area_set *set, struct area *area)
{
	struct area *before = area->prev;
	uint64_t random = set->random;

	for (unsigned level = 1; level < AREA_LEVELS && random >> 61 == 0 && set->free_count > set->reserved;
	     level++, random <<= 3) {
		struct area *node = area_new(set);

		while (!before->up)
			before = before->prev;
		before = before->up;
		node->start = area->start; /* no `end`: a node holds no address */
		node->down = area;
		node->up = NULL;
		area->up = node;
		link_behind(before, node);
		if (set->top < &set->level[level])
			set->top = &set->level[level];
		area = node;
	}
}

void area_insert(struct area_set *set, struct area *before, struct area *area)
{
	area->up = area->down = NULL;
	link_behind(before, area);
	*area_hint(set, area->start) = area;
	/* The multiples of the golden ratio: an eighth of whatever comes at regular intervals is in each eighth of all numbers. */
	set->random += UINT64_C(0x9e3779b97f4a7c15);
	if (set->random >> 61 == 0)
		raise_area(set, area);
}

static void unlink_area(struct area_set *set, struct area *area)
{
	area->prev->next = area->next;
	area->next->prev = area->prev;
	drop(set, area);
}

void area_remove(struct area_set *set, struct area *area)
{
	struct area *node = area->up, *up;

	*area_hint(set, area->start) = area->prev;
	unlink_area(set, area);
	for (; node; node = up) {
		up = node->up;
		unlink_area(set, node);
	}
}

void area_split(struct area_set *set, struct area *area, uint64_t at)
{
	struct area *upper = area_new(set);

	*upper = *area;
	upper->start = at;
	area->end = at;
	area_insert(set, area, upper);
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
