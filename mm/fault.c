/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's faults: the promise of memory becomes memory, of the size that the area's policy wants. */
#include <string.h>

#include "include/arch/machine.h"
#include "include/panic.h"
#include "mm/space.h"

/* What a fault-around maps at once, at most. */
#define WINDOW_SIZE  KIB(64)

/* A fault on its way. */
struct fault {
	struct addr_space *as;
	const struct area *area;
	uint64_t gpa;
	unsigned access;
	struct npt_cursor cursor; /* the entry that decided */
	struct npt_leaf leaf;     /* what it maps, if it does */
};

/* --- Memory ------------------------------------------------------------------------------------------------------- */

/* What the path of a first touch calls with constants is best compiled into it. */
#define INLINE static inline __attribute__((always_inline))

/* A block of frames of the space's own, zeroed, as a guest may see it. */
INLINE enum err guest_frame_alloc(struct addr_space *as, unsigned order, hpa_t *frame)
{
	enum err err = frame_alloc_for(order, as->id, frame);

	if (err == ERR_OK) {
		arch_zero_pages(frame_ptr(*frame), PAGE_SIZE << order);
		sync_memory(as, *frame, PAGE_SIZE << order);
	}
	return err;
}

/* The block of zeros that a leaf of `level` maps. */
static enum err zero_block(struct addr_space *as, unsigned level, hpa_t *block)
{
	enum err err = frame_zero_block(level_order(level), block);

	if (err == ERR_OK && !as->zero_synced[level]) {
		sync_memory(as, *block, npt_level_size(level));
		as->zero_synced[level] = true;
	}
	return err;
}

/* Give the empty entry at the cursor a leaf with memory of its own. */
INLINE enum err map_fresh(struct addr_space *as, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
			  unsigned level)
{
	hpa_t frame;
	enum err err = guest_frame_alloc(as, level_order(level), &frame);

	if (err != ERR_OK)
		return err;
	err = npt_map_at(&as->npt, cursor, GPA(align_down(gpa, npt_level_size(level))), level, frame, area->attr);
	if (err == ERR_OK)
		count_resident(as, npt_level_size(level));
	else
		frame_free(frame, level_order(level));
	return err;
}

/* The page is in use from now on, though it still holds zeros only: reclaim must leave it to the guest for a while. */
INLINE void remember(struct addr_space *as, uint64_t gpa)
{
	as->recent[as->recent_next++ % ADDR_SPACE_RECENT] = align_down(gpa, PAGE_SIZE);
}

/* Let the empty entry at the cursor show zeros. */
static enum err map_zero(struct addr_space *as, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
			 unsigned level)
{
	struct npt_attr attr = area->attr;
	hpa_t block;
	enum err err = zero_block(as, level, &block);

	if (err != ERR_OK)
		return err;
	attr.prot &= (uint8_t)~NPT_W;
	attr.shared = true;
	err = npt_map_at(&as->npt, cursor, GPA(align_down(gpa, npt_level_size(level))), level, block, attr);
	if (err == ERR_OK)
		as->stats.zero_leaves[level]++;
	return err;
}

/* --- Windows of 4 KiB leaves -------------------------------------------------------------------------------------- */

/* What is at `gpa`: nothing, zeros, or memory. */
enum backing { BACKING_NONE, BACKING_ZERO, BACKING_MEMORY };

static enum backing backing_at(const struct addr_space *as, uint64_t gpa)
{
	struct npt_leaf leaf;

	if (npt_query(&as->npt, GPA(gpa), &leaf) != ERR_OK)
		return BACKING_NONE;
	return frame_is_zero(leaf.hpa) ? BACKING_ZERO : BACKING_MEMORY;
}

struct window {
	uint64_t start, end;
	/* A bit a page, from `start` on: what has memory, and what shows zeros. */
	uint32_t memory, zeros;
};

static struct window clip(const struct area *area, uint64_t gpa, uint64_t size)
{
	uint64_t start = align_down(gpa, size);

	return (struct window){ .start = max_u64(start, area->start), .end = min_u64(start + size, area->end) };
}

static bool is_alone(const struct window *window)
{
	return window->end - window->start == PAGE_SIZE;
}

static bool look_at(const struct npt_leaf *leaf, void *context)
{
	struct window *window = context;
	uint32_t bit = 1u << ((leaf->gpa.raw - window->start) >> PAGE_SHIFT);

	*(frame_is_zero(leaf->hpa) ? &window->zeros : &window->memory) |= bit;
	return true;
}

/* Fill in what is in the window: 4 KiB leaves, if any, since it is part of one table. */
static void look_into(const struct addr_space *as, struct window *window)
{
	window->memory = window->zeros = 0;
	/* A malformed entry is none of ours. */
	(void)!npt_walk(&as->npt, GPA(window->start), window->end - window->start, look_at, window);
}

/*
 * `auto`: as much as the neighbours suggest. A window begins at the page, if the page before has memory, or ends with it, if
 * the page after has; and it doubles as long as it stays aligned, has as much memory beside it, and has none inside. So a
 * sequence, up or down, gets ever larger windows, and a page by itself stays alone.
 */
static struct window auto_window(const struct fault *fault)
{
	uint64_t page = align_down(fault->gpa, PAGE_SIZE), size = PAGE_SIZE;
	bool up = page > fault->area->start && backing_at(fault->as, page - PAGE_SIZE) == BACKING_MEMORY;
	/* What must be aligned: the border between the window and what is beside it. */
	uint64_t border = up ? page : page + PAGE_SIZE;

	if (!up && (border >= fault->area->end || backing_at(fault->as, border) != BACKING_MEMORY))
		return clip(fault->area, page, PAGE_SIZE);
	while (size < WINDOW_SIZE && is_aligned(border, 2 * size)) {
		uint64_t beside = up ? border - 2 * size : border + 2 * size - PAGE_SIZE;
		uint64_t inside = up ? border + 2 * size - PAGE_SIZE : border - 2 * size;

		if (beside < fault->area->start || beside >= fault->area->end ||
		    backing_at(fault->as, beside) != BACKING_MEMORY || backing_at(fault->as, inside) == BACKING_MEMORY)
			break;
		size *= 2;
	}
	return clip(fault->area, up ? border : border - size, size);
}

static struct window window_of(const struct fault *fault)
{
	switch (fault->area->policy) {
	case ALLOC_LAZY_64K:
		return clip(fault->area, fault->gpa, WINDOW_SIZE);
	case ALLOC_LAZY_AUTO:
		return auto_window(fault);
	default:
		return clip(fault->area, fault->gpa, PAGE_SIZE);
	}
}

/* Take the zeros out of the window, with one flush for all. */
static void remove_zeros(struct addr_space *as, const struct window *window)
{
	struct removal removal;

	removal_init(&removal, as);
	for (uint32_t zeros = window->zeros; zeros != 0; zeros &= zeros - 1) {
		uint64_t at = window->start + PAGE_SIZE * (unsigned)__builtin_ctz(zeros);

		remove_leaves(&removal, at, at + PAGE_SIZE, true);
	}
	removal_finish(&removal);
}

/* A whole window by one block of frames, if nothing in it has memory and there is such a block. */
static bool fill_at_once(struct addr_space *as, const struct area *area, const struct window *window)
{
	uint64_t size = window->end - window->start;
	unsigned order = (unsigned)__builtin_ctzll(size >> PAGE_SHIFT);
	hpa_t frames;

	if (window->memory != 0 || size != PAGE_SIZE << order || guest_frame_alloc(as, order, &frames) != ERR_OK)
		return false;
	remove_zeros(as, window);
	if (npt_map(&as->npt, GPA(window->start), frames, size, area->attr) != ERR_OK) {
		frame_free(frames, order);
		return false;
	}
	count_resident(as, size);
	return true;
}

/* Back what has no memory in the window, but for the page that has been served. It does no harm if memory runs out. */
static void fill_rest(struct addr_space *as, const struct area *area, struct window *window)
{
	struct npt_cursor cursor;

	look_into(as, window);
	remove_zeros(as, window);
	for (uint64_t at = window->start; at < window->end; at += PAGE_SIZE)
		if (npt_find(&as->npt, GPA(at), &cursor) == NPT_EMPTY && map_fresh(as, area, &cursor, at, 0) != ERR_OK)
			break;
}

/* --- First touch -------------------------------------------------------------------------------------------------- */

static bool wants_blocks(const struct area *area)
{
	return area->policy == ALLOC_LAZY_2M || area->policy == ALLOC_POPULATE;
}

/* Can one leaf of 2 MiB be put where the walk ended? */
static bool block_fits(const struct fault *fault)
{
	return fault->cursor.level >= BLOCK_LEVEL && block_in_area(fault->as, fault->area, fault->gpa);
}

static enum err read_untouched(struct fault *fault)
{
	struct addr_space *as = fault->as;
	const struct area *area = fault->area;
	struct window window;
	enum err err;

	as->stats.handled_zero++;
	if ((wants_blocks(area) || area->policy == ALLOC_LAZY_AUTO) && block_fits(fault) &&
	    map_zero(as, area, &fault->cursor, fault->gpa, BLOCK_LEVEL) == ERR_OK)
		return ERR_OK;
	err = map_zero(as, area, &fault->cursor, fault->gpa, 0);
	if (err != ERR_OK)
		as->stats.handled_zero--;
	if (err != ERR_OK || area->policy != ALLOC_LAZY_64K)
		return err;
	window = window_of(fault);
	for (uint64_t at = window.start; at < window.end; at += PAGE_SIZE)
		if (npt_find(&as->npt, GPA(at), &fault->cursor) == NPT_EMPTY &&
		    map_zero(as, area, &fault->cursor, at, 0) != ERR_OK)
			break;
	return ERR_OK;
}

static enum err write_untouched_page(struct fault *fault)
{
	return map_fresh(fault->as, fault->area, &fault->cursor, fault->gpa, 0);
}

static enum err fill_window(struct fault *fault, struct window *window)
{
	enum err err;

	look_into(fault->as, window);
	if (fill_at_once(fault->as, fault->area, window))
		return ERR_OK;
	/* Taking zeros out may have emptied the table that the walk ended in. */
	npt_find(&fault->as->npt, GPA(fault->gpa), &fault->cursor);
	err = write_untouched_page(fault);
	if (err == ERR_OK)
		fill_rest(fault->as, fault->area, window);
	return err;
}

static enum err write_untouched_window(struct fault *fault)
{
	struct window window = window_of(fault);
	enum err err = is_alone(&window) ? write_untouched_page(fault) : fill_window(fault, &window);

	if (err == ERR_OK)
		promote_if_dense(fault->as, fault->area, window.end - PAGE_SIZE, true);
	return err;
}

static enum err write_untouched(struct fault *fault)
{
	enum err err;

	if (fault->area->policy == ALLOC_LAZY_4K)
		err = write_untouched_page(fault);
	else if (wants_blocks(fault->area) && block_fits(fault) &&
		 map_fresh(fault->as, fault->area, &fault->cursor, fault->gpa, BLOCK_LEVEL) == ERR_OK)
		err = ERR_OK;
	else
		err = write_untouched_window(fault);
	fault->as->stats.handled_fresh += err == ERR_OK;
	remember(fault->as, fault->gpa);
	return err;
}

/* --- A write where memory is somebody else's too ------------------------------------------------------------------ */

/* What a page gets that its guest is writing to. */
#define WRITTEN (NPT_ACCESSED | NPT_DIRTY)

static void replace_leaf(struct fault *fault, hpa_t hpa, unsigned marks)
{
	npt_replace(&fault->as->npt, &fault->cursor, fault->leaf.gpa, hpa, fault->area->attr, marks);
	count_resident(fault->as, npt_level_size(fault->leaf.level));
}

/* Walk to the 4 KiB leaf at the fault's address, splitting what is there. */
static enum err reach_page(struct fault *fault)
{
	enum err err = split_to_pages(fault->as, fault->gpa);

	if (err == ERR_OK) {
		npt_find(&fault->as->npt, GPA(fault->gpa), &fault->cursor);
		npt_decode(&fault->as->npt, &fault->cursor, GPA(fault->gpa), &fault->leaf);
	}
	return err;
}

/* Memory in place of one leaf of zeros. */
static void put_in_place_of_zeros(struct fault *fault, hpa_t frame, unsigned marks)
{
	fault->as->stats.zero_leaves[fault->leaf.level]--;
	replace_leaf(fault, frame, marks);
}

static enum err unzero_leaf(struct fault *fault, unsigned marks)
{
	hpa_t frame;
	enum err err = guest_frame_alloc(fault->as, level_order(fault->leaf.level), &frame);

	if (err == ERR_OK)
		put_in_place_of_zeros(fault, frame, marks);
	return err;
}

/* The page alone, and then what else its window wants. The frame comes first: without it nothing is split. */
static enum err unzero_page(struct fault *fault)
{
	struct window window;
	hpa_t frame;
	enum err err = guest_frame_alloc(fault->as, 0, &frame);

	if (err != ERR_OK)
		return err;
	if (fault->leaf.level > 0) {
		err = reach_page(fault);
		if (err != ERR_OK) {
			frame_free(frame, 0);
			return err;
		}
	}
	window = window_of(fault);
	put_in_place_of_zeros(fault, frame, WRITTEN);
	if (!is_alone(&window))
		fill_rest(fault->as, fault->area, &window);
	promote_if_dense(fault->as, fault->area, window.end - PAGE_SIZE, false);
	return ERR_OK;
}

static enum err write_zeros(struct fault *fault)
{
	enum err err = ERR_NO_MEMORY;

	if (fault->leaf.level > 0 && wants_blocks(fault->area))
		err = unzero_leaf(fault, WRITTEN);
	if (err != ERR_OK)
		err = unzero_page(fault);
	fault->as->stats.handled_unzero += err == ERR_OK;
	remember(fault->as, fault->gpa);
	return err;
}

/* Nobody else uses the memory any more: it is this space's own. */
static void reuse_leaf(struct fault *fault)
{
	struct addr_space *as = fault->as;
	uint64_t gained = frame_take_over(fault->leaf.hpa, level_order(fault->leaf.level), as->id);

	as->stats.shared -= gained;
	count_resident(as, gained);
	npt_touch(&as->npt, &fault->cursor, fault->area->attr.prot, WRITTEN);
	as->stats.handled_reuse++;
}

static void copy_page(struct fault *fault, hpa_t frame)
{
	struct addr_space *as = fault->as;
	hpa_t old = fault->leaf.hpa;
	struct removal removal;

	sync_memory(as, old, PAGE_SIZE);
	memcpy(frame_ptr(frame), frame_ptr(old), PAGE_SIZE);
	sync_memory(as, frame, PAGE_SIZE);
	removal_init(&removal, as);
	replace_leaf(fault, frame, WRITTEN); /* flushes: from here on nobody reads the old page through this space */
	release_leaf(&removal, old, 0);
	removal_finish(&removal);
	as->stats.handled_copy++;
}

/* One page of what others use too. The frame comes first: without it nothing is split. */
static enum err unshare_page(struct fault *fault)
{
	hpa_t frame;
	enum err err = frame_alloc_for(0, fault->as->id, &frame);

	if (err != ERR_OK)
		return err;
	if (fault->leaf.level > 0)
		err = reach_page(fault);
	if (err == ERR_OK && frame_is_shared(fault->leaf.hpa, 0)) {
		copy_page(fault, frame);
		return ERR_OK;
	}
	/* Of a large leaf others may use some pages only. */
	frame_free(frame, 0);
	if (err == ERR_OK)
		reuse_leaf(fault);
	return err;
}

static enum err write_shared(struct fault *fault)
{
	if (frame_is_zero(fault->leaf.hpa))
		return write_zeros(fault);
	if (frame_is_shared(fault->leaf.hpa, level_order(fault->leaf.level)))
		return unshare_page(fault);
	reuse_leaf(fault);
	return ERR_OK;
}

/* --- The fault ---------------------------------------------------------------------------------------------------- */

/* There is a leaf, and the area permits the access. */
static enum fault_outcome serve_leaf(struct fault *fault)
{
	unsigned missing = fault->access & ~(unsigned)fault->leaf.attr.prot;

	if (missing & NPT_W && fault->leaf.attr.shared)
		return write_shared(fault) == ERR_OK ? FAULT_HANDLED : FAULT_NO_MEMORY;
	if (missing == 0 && !fault->leaf.hidden)
		return FAULT_SPURIOUS; /* somebody else was here first, or a CPU remembers what was before */
	/* Software keeps the marks, and this access leaves one. */
	npt_touch(&fault->as->npt, &fault->cursor, missing, fault->access & NPT_W ? WRITTEN : NPT_ACCESSED);
	fault->as->stats.handled_tracked++;
	return FAULT_HANDLED;
}

static enum fault_outcome serve_fault(struct addr_space *as, const struct npt_fault *npt_fault)
{
	struct fault fault; /* not cleared: cursor and leaf are filled in when there is something to say */
	enum err err;

	fault.as = as;
	fault.gpa = npt_fault->gpa.raw;
	fault.access = npt_fault->access;
	fault.area = area_find(&as->areas, fault.gpa);
	if (!fault.area)
		return FAULT_UNMAPPED;
	if (fault.access & ~(unsigned)fault.area->attr.prot)
		return FAULT_DENIED;
	switch (npt_find(&as->npt, npt_fault->gpa, &fault.cursor)) {
	case NPT_EMPTY:
		if (fault.area->backend != AREA_ALLOC)
			return FAULT_UNMAPPED;
		err = fault.access & NPT_W ? write_untouched(&fault) : read_untouched(&fault);
		return err == ERR_OK ? FAULT_HANDLED : FAULT_NO_MEMORY;
	case NPT_LEAF:
		npt_decode(&as->npt, &fault.cursor, npt_fault->gpa, &fault.leaf);
		return serve_leaf(&fault);
	default:
		panic("addr_space: malformed entry %#lx for %#lx", fault.cursor.pte, fault.gpa);
	}
}

enum fault_outcome addr_space_handle_fault(struct addr_space *as, const struct npt_fault *fault)
{
	enum fault_outcome outcome;

	spin_lock(&as->lock);
	do {
		outcome = serve_fault(as, fault);
	} while (outcome == FAULT_NO_MEMORY && reclaim(as));
	as->stats.faults[outcome]++;
	spin_unlock(&as->lock);
	return outcome;
}

const char *fault_outcome_name(enum fault_outcome outcome)
{
	static const char *const names[] = {
		[FAULT_HANDLED] = "handled",
		[FAULT_SPURIOUS] = "spurious",
		[FAULT_DENIED] = "denied",
		[FAULT_UNMAPPED] = "unmapped",
		[FAULT_NO_MEMORY] = "no_memory",
	};

	return names[outcome];
}

/* --- Everything at once ------------------------------------------------------------------------------------------- */

/* The level of the largest leaf that fits between the empty entry's bounds and the range's. */
static unsigned largest_level(const struct addr_space *as, const struct npt_cursor *cursor, uint64_t at, uint64_t end)
{
	unsigned level = (unsigned)min_u64(as->npt.config.max_leaf, cursor->level);

	while (level > 0 && (!is_aligned(at, npt_level_size(level)) || end - at < npt_level_size(level)))
		level--;
	return level;
}

/* Memory in place of zeros that nobody has written to. */
static enum err populate_zeros(struct fault *fault)
{
	unsigned marks = fault->as->npt.config.hw_ad ? 0 : NPT_ACCESSED;
	enum err err = unzero_leaf(fault, marks);

	if (err != ERR_OK && fault->leaf.level > 0) {
		err = reach_page(fault);
		if (err == ERR_OK)
			err = unzero_leaf(fault, marks);
	}
	return err;
}

/* Back the page or block at `*at` if it has no memory; moves past it. */
static enum err populate_at(struct addr_space *as, const struct area *area, uint64_t *at, uint64_t end)
{
	struct fault fault = { .as = as, .area = area, .gpa = *at, .access = NPT_RW };
	unsigned level = 0;
	enum err err = ERR_OK;

	if (npt_find(&as->npt, GPA(*at), &fault.cursor) == NPT_EMPTY) {
		level = largest_level(as, &fault.cursor, *at, end);
		while ((err = map_fresh(as, area, &fault.cursor, *at, level)) == ERR_NO_MEMORY && level > 0)
			level--;
	} else {
		npt_decode(&as->npt, &fault.cursor, GPA(*at), &fault.leaf);
		if (frame_is_zero(fault.leaf.hpa))
			err = populate_zeros(&fault);
		level = fault.leaf.level;
	}
	*at += npt_level_size(level);
	return err;
}

enum err populate(struct addr_space *as, const struct area *area, uint64_t start, uint64_t end)
{
	enum err err = ERR_OK;

	while (err == ERR_OK && start < end)
		err = populate_at(as, area, &start, end);
	return err;
}
