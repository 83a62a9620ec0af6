/* SPDX-License-Identifier: BSD-2-Clause */
/* Fork: a copy of an address space that shares its memory copy-on-write. */
#include <limits.h>

#include "mm/space.h"

/* What is copied in one piece, as of space_piece; each page takes a frame's record, too. */
#define FORK_COST (PIECE_COST / 2)
#define FORK_ALL  UINT_MAX

/* Pages side by side whose references are to be counted, for leaves that were copied to the child. */
struct sharing {
	struct addr_space *child;
	hpa_t first;
	uint64_t count;
	uint64_t room; /* pages from `first` on of which none is a zero page */
};

static void share_pages(struct sharing *sharing)
{
	if (sharing->count > 0)
		frame_share_pages(sharing->first, sharing->count);
	sharing->child->view.stats.shared += sharing->count * PAGE_SIZE;
	sharing->count = 0;
}

/* A leaf that does not lie behind the pages before it. */
static __attribute__((noinline)) void share_apart(struct sharing *sharing, hpa_t hpa, unsigned level)
{
	struct addr_space *child = sharing->child;

	if (frame_is_zero_page(hpa)) {
		child->view.stats.zero_leaves[level]++;
	} else if (level > 0) {
		child->view.stats.shared += npt_level_size(level);
		frame_share(hpa, level_order(level));
	} else {
		share_pages(sharing);
		sharing->first = hpa;
		sharing->room = frame_zero_page_border(hpa, UINT64_MAX - hpa.raw) / PAGE_SIZE;
		sharing->count = 1;
	}
}

/* Add a reference to a leaf's memory: the leaf is about to be copied to the child. */
static void share_leaf(hpa_t hpa, unsigned level, void *context)
{
	struct sharing *sharing = context;

	if (level == 0 && hpa.raw == sharing->first.raw + sharing->count * PAGE_SIZE && sharing->count < sharing->room)
		sharing->count++;
	else
		share_apart(sharing, hpa, level);
}

/* Linear memory is owned by no space and has no references. */
static void keep_leaf(hpa_t hpa, unsigned level, void *context)
{
	(void)hpa;
	(void)level;
	(void)context;
}

/* The area is inserted before its leaves are copied, so that after a failure they are removed with it. */
static enum err fork_area(struct addr_space *child, const struct area *area)
{
	enum err err = area_reserve(&child->areas, 1);
	struct area *before = area_before(&child->areas, area->start), *copy;

	if (err != ERR_OK)
		return err;
	copy = area_new(&child->areas);
	*copy = *area;
	area_insert(&child->areas, before, copy);
	return ERR_OK;
}

/* The leaves of [start, end) of an area, which is not empty, one by one. */
static enum err copy_leaves(struct addr_space *parent, struct addr_space *child, const struct area *area, uint64_t start,
			    uint64_t end, struct npt_gather *gather)
{
	bool owned = area->backend == AREA_ALLOC;
	struct sharing sharing = { .child = child };
	enum err err = npt_clone(&parent->npt, &child->npt, GPA(start), end - start, owned, gather, owned ? share_leaf : keep_leaf,
				 &sharing);

	share_pages(&sharing);
	return err;
}

/* Where the entry or the table of pages at `at` ends. `*whole`: a table of pages, all of it in the range and memory of the area. */
static uint64_t past_table(const struct addr_space *parent, const struct area *area, uint64_t at, uint64_t end, bool *whole)
{
	struct npt_cursor cursor;
	uint64_t size, next;

	if (npt_find(&parent->npt, GPA(at), &cursor) == NPT_EMPTY && cursor.level > 0) {
		*whole = false;
		return min_u64(npt_empty_end(&parent->npt, &cursor, GPA(at)), end);
	}
	size = cursor.level > 0 ? npt_level_size(cursor.level) : BLOCK_SIZE;
	next = align_down(at, size) + size;
	*whole = cursor.level == 0 && area->backend == AREA_ALLOC && is_aligned(at, BLOCK_SIZE) && next <= end;
	return min_u64(next, end);
}

/* The leaves of [start, end) of an area: whole tables of pages are shared, all else is copied. */
static enum err fork_leaves(struct addr_space *parent, struct addr_space *child, const struct area *area, uint64_t start,
			    uint64_t end, struct npt_gather *gather)
{
	uint64_t copied = start; /* up to here */
	enum err err = ERR_OK;
	bool whole;

	for (uint64_t at = start, next; err == ERR_OK && at < end; at = next) {
		next = past_table(parent, area, at, end, &whole);
		if (!whole)
			continue;
		if (copied < at)
			err = copy_leaves(parent, child, area, copied, at, gather);
		if (err != ERR_OK)
			break;
		copied = next;
		err = npt_share_table(&parent->npt, &child->npt, GPA(at), gather);
		if (err == ERR_RANGE) /* it has as many spaces as can be */
			err = copy_leaves(parent, child, area, at, next, gather);
	}
	if (err == ERR_OK && copied < end)
		err = copy_leaves(parent, child, area, copied, end, gather);
	if (err == ERR_OK)
		log_fork(parent, child, start, end);
	return err;
}

/*
 * Areas and leaves from `*at` on, as far as `left` goes (space_piece); `*at` is where to go on. After a failure some leaves of the
 * parent may be `shared` although no child has them: its next write reuses the page.
 */
static enum err fork_areas(struct addr_space *parent, struct addr_space *child, uint64_t *at, unsigned left)
{
	const struct area *area = area_find_from(&parent->areas, *at);
	struct npt_gather gather;
	enum err err = ERR_OK;

	npt_gather_init(&gather, &parent->npt);
	child->need = FRAME_CALL;
	while (err == ERR_OK && area && left > 0) {
		uint64_t start = max_u64(*at, area->start), end = area->end;

		if (left != FORK_ALL)
			end = space_piece_of_fork(parent, start, end, &left);
		if (start == area->start)
			err = fork_area(child, area);
		if (err == ERR_OK)
			err = fork_leaves(parent, child, area, start, end, &gather);
		*at = end;
		if (end == area->end)
			area = area_next(area);
	}
	child->need = FRAME_GUEST;
	npt_gather_finish(&gather);
	return err;
}

enum err addr_space_fork_begin(struct addr_space *parent, struct addr_space *child)
{
	enum err err = addr_space_new(child, parent->npt.ops, &parent->npt.config, NULL);

	if (err != ERR_OK)
		return err;
	child->sync = parent->sync;
	child->publish = parent->publish;
	child->zero = parent->zero;
	addr_space_release_held(parent);
	err = addr_space_set_limit(child, parent->cost.limit);
	if (err != ERR_OK)
		addr_space_free(child);
	return err;
}

enum err addr_space_fork_piece(struct addr_space *parent, struct addr_space *child, gpa_t *at, bool *more)
{
	enum err err;

	space_lock(parent);
	err = fork_areas(parent, child, &at->raw, FORK_COST);
	*more = area_find_from(&parent->areas, at->raw) != NULL;
	space_unlock(parent);
	if (err == ERR_OK && !*more)
		child->flush = parent->flush;
	return err;
}

enum err addr_space_fork(struct addr_space *parent, struct addr_space *child)
{
	enum err err = addr_space_fork_begin(parent, child);
	uint64_t at = 0;

	if (err != ERR_OK)
		return err;
	space_lock(parent);
	err = fork_areas(parent, child, &at, FORK_ALL);
	space_unlock(parent);
	if (err == ERR_OK)
		child->flush = parent->flush;
	else
		addr_space_free(child);
	return err;
}
