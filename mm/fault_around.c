/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault-around: a fault on one page also maps memory for the pages around it, by 4 KiB leaves. */
#include "mm/fault.h"

/* The largest fault-around window. */
#define FAULT_AROUND_SIZE KIB(64)

/* What a page is backed by: nothing, the zero page, or memory. */
enum backing { BACKING_NONE, BACKING_ZERO, BACKING_MEMORY };

/* The page is in the area. The view's lock, as for all that is given a view here. */
static enum backing backing_at(struct addr_space_view *view, const struct area *area, uint64_t gpa)
{
	const uint64_t *slot = npt_walk_cache_lookup(&view->cache, GPA(gpa));
	const struct npt *npt = &view->as->npt;
	hpa_t hpa;

	if (slot) {
		uint64_t pte = __atomic_load_n(slot, __ATOMIC_RELAXED);

		if (pte == 0)
			return BACKING_NONE;
		if (npt_is_like(npt, pte, area->page)) /* the zero page would be `shared` */
			return BACKING_MEMORY;
	}
	if (npt_translate(npt, &view->cache, GPA(gpa), &hpa) != ERR_OK)
		return BACKING_NONE;
	return frame_is_zero_page(hpa) ? BACKING_ZERO : BACKING_MEMORY;
}

static struct fault_around clip(const struct area *area, uint64_t gpa, uint64_t size)
{
	uint64_t start = align_down(gpa, size);

	return (struct fault_around){ .start = max_u64(start, area->start), .end = min_u64(start + size, area->end) };
}

static bool is_empty(const uint64_t *slot, unsigned pages)
{
	uint64_t any = 0;

	_Pragma("GCC unroll 4") for (unsigned i = 0; i < pages; i++) any |= __atomic_load_n(slot + i, __ATOMIC_RELAXED);
	return any == 0;
}

/* Fill in `memory` and `zeros` of the window, all of which is in one table. */
static void look_into(struct addr_space *as, const struct area *area, struct fault_around *window)
{
	const uint64_t *slot = npt_walk_cache_lookup(&as->view.cache, GPA(window->start));
	unsigned pages = (unsigned)((window->end - window->start) >> PAGE_SHIFT);

	window->memory = window->zeros = 0;
	/* npt_find has inserted the table into the walk cache: if there is none, there is no table of level 0. */
	if (!slot || is_empty(slot, pages))
		return;
	for (unsigned i = 0; i < pages; i++) {
		enum backing backing;

		if (__atomic_load_n(slot + i, __ATOMIC_RELAXED) == 0)
			continue;
		backing = backing_at(&as->view, area, window->start + i * PAGE_SIZE);
		window->zeros |= (uint32_t)(backing == BACKING_ZERO) << i;
		window->memory |= (uint32_t)(backing == BACKING_MEMORY) << i;
	}
}

/*
 * The window of `auto` depends on the neighbours. It begins at the page if the page before has memory, or ends with the page if
 * the page after has memory. It doubles as long as it stays aligned, as much memory as it is large lies beside it, and no page in
 * it has memory. So a sequence of accesses, up or down, gets larger and larger windows, and a single access gets one page.
 */
static struct fault_around auto_window(struct addr_space_view *view, const struct area *area, uint64_t gpa)
{
	uint64_t page = align_down(gpa, PAGE_SIZE), size = PAGE_SIZE;
	bool up = page > area->start && backing_at(view, area, page - PAGE_SIZE) == BACKING_MEMORY;
	/* The boundary between the window and the memory beside it, which must be aligned. */
	uint64_t border = up ? page : page + PAGE_SIZE;

	if (!up && (border >= area->end || backing_at(view, area, border) != BACKING_MEMORY))
		return clip(area, page, PAGE_SIZE);
	while (size < FAULT_AROUND_SIZE && is_aligned(border, 2 * size)) {
		uint64_t beside = up ? border - 2 * size : border + 2 * size - PAGE_SIZE;
		uint64_t inside = up ? border + 2 * size - PAGE_SIZE : border - 2 * size;

		if (beside < area->start || beside >= area->end || backing_at(view, area, beside) != BACKING_MEMORY ||
		    backing_at(view, area, inside) == BACKING_MEMORY)
			break;
		size *= 2;
	}
	return clip(area, up ? border : border - size, size);
}

struct fault_around fault_around_of(const struct fault *fault)
{
	switch (fault->area->policy) {
	case ALLOC_LAZY_64K:
		return clip(fault->area, fault->gpa, FAULT_AROUND_SIZE);
	case ALLOC_LAZY_AUTO:
		return auto_window(&fault->as->view, fault->area, fault->gpa);
	default:
		return clip(fault->area, fault->gpa, PAGE_SIZE);
	}
}

/* Unmap all leaves of the window that map the zero page, with one flush. */
static void remove_zeros(struct addr_space *as, const struct fault_around *window)
{
	struct removal removal;

	removal_init(&removal, as);
	for (uint32_t zeros = window->zeros; zeros != 0; zeros &= zeros - 1) {
		uint64_t at = window->start + PAGE_SIZE * (unsigned)__builtin_ctz(zeros);

		remove_leaves(&removal, at, at + PAGE_SIZE, true);
	}
	removal_finish(&removal);
}

/* Map contiguous frames to all of the window, in which nothing is mapped. */
static enum err map_window(struct addr_space *as, const struct area *area, const struct fault_around *window, hpa_t frames)
{
	const gpa_t start = GPA(window->start);
	uint64_t size = window->end - window->start;
	uint64_t *slot = npt_walk_cache_lookup(&as->view.cache, start);

	if (!slot) {
		enum err err;

		as->cost.in_hand = size;
		err = npt_map(&as->npt, start, frames, size, area->attr);
		as->cost.in_hand = 0;
		return err;
	}
	npt_fill_pages(&as->view.cache, start, slot, size >> PAGE_SHIFT, frames, area->page);
	return ERR_OK;
}

static enum err take_reserved(struct addr_space_view *view, uint64_t start, hpa_t *frames)
{
	enum err err = reservation_take(view, start, frames);

	if (err != ERR_NOT_FOUND)
		return err;
	err = reservation_make(view, start);
	return err == ERR_OK ? reservation_take(view, start, frames) : err;
}

/* Get zeroed memory for a whole window. With `auto`, a window of full size gets its place in the reservation, if possible. */
static enum err window_memory(struct addr_space_view *view, const struct area *area, const struct fault_around *window,
			      unsigned order, hpa_t *frames)
{
	struct addr_space *as = view->as;
	uint64_t size = PAGE_SIZE << order;

	if (area->policy != ALLOC_LAZY_AUTO || size != RESERVATION_PIECE || !block_in_area(as, area, window->start) ||
	    take_reserved(view, window->start, frames) != ERR_OK)
		return guest_frame_alloc(view, order, frames);
	zero_memory(as, *frames, size);
	return ERR_OK;
}

/* Map a whole window to one block of frames. False: some page in it has memory, or there is no such block. */
static bool fill_at_once(struct addr_space_view *view, const struct area *area, const struct fault_around *window)
{
	struct addr_space *as = view->as;
	uint64_t size = window->end - window->start;
	unsigned order = (unsigned)__builtin_ctzll(size >> PAGE_SHIFT);
	hpa_t frames;

	if (window->memory != 0 || size != PAGE_SIZE << order || window_memory(view, area, window, order, &frames) != ERR_OK)
		return false;
	if (window->zeros != 0)
		remove_zeros(as, window);
	if (map_window(as, area, window, frames) != ERR_OK) {
		give_back(as, frames.raw, frames.raw + size);
		return false;
	}
	count_resident(as, size);
	return true;
}

void fault_around_fill_rest(struct addr_space_view *view, const struct area *area, struct fault_around *window)
{
	struct addr_space *as = view->as;
	struct npt_cursor cursor;

	look_into(as, area, window);
	remove_zeros(as, window);
	for (uint64_t at = window->start; at < window->end; at += PAGE_SIZE)
		if (npt_find(&as->npt, GPA(at), &cursor) == NPT_EMPTY && map_fresh(view, area, &cursor, at, 0) != ERR_OK)
			break;
}

/*
 * Map `frames` to the `pages` empty entries from `slot` on, while other vCPUs do the same; those that come too late are given back.
 * Counts what was mapped.
 */
static __attribute__((noinline)) void share_window(struct addr_space_view *view, const struct area *area, uint64_t start,
						   uint64_t *slot, unsigned pages, hpa_t frames)
{
	char *place = npt_walk_cache_place(&view->cache, GPA(start));

	for (unsigned i = 0; i < pages; i++, frames.raw += PAGE_SIZE) {
		if (!npt_try_fill_page(&view->cache, place, slot + i, frames, area->page)) {
			give_back(view->as, frames.raw, frames.raw + PAGE_SIZE);
			continue;
		}
		view->cache.leaves++;
		view->stats.resident += PAGE_SIZE;
	}
}

static inline void fill_window(struct addr_space_view *view, const struct area *area, uint64_t start, uint64_t *slot,
			       unsigned pages, hpa_t frames)
{
	if (view->as->view.next) {
		share_window(view, area, start, slot, pages, frames);
		return;
	}
	npt_fill_pages(&view->cache, GPA(start), slot, pages, frames, area->page);
	view->stats.resident += pages * PAGE_SIZE;
}

bool fault_around_give(struct addr_space_view *view, const struct area *area, uint64_t gpa)
{
	const uint64_t start = align_down(gpa, FAULT_AROUND_SIZE);
	const unsigned pages = FAULT_AROUND_SIZE / PAGE_SIZE;
	uint64_t *slot = npt_walk_cache_lookup(&view->cache, GPA(start));
	hpa_t frames;

	if (!slot || start < area->start || area->end - start < FAULT_AROUND_SIZE || !is_empty(slot, pages) ||
	    run_take(view, pages, false, &frames) != ERR_OK)
		return false;
	fill_window(view, area, start, slot, pages, frames);
	return true;
}

/* Zeroed memory for a window of `auto`: that of full size gets its place in the reservation, which must be there. */
static enum err auto_memory(struct addr_space_view *view, const struct area *area, uint64_t start, unsigned pages, hpa_t *frames)
{
	enum err err = ERR_EXISTS;

	if (pages * PAGE_SIZE == RESERVATION_PIECE && block_in_area(view->as, area, start))
		err = reservation_take(view, start, frames);
	if (err == ERR_EXISTS)
		return run_take(view, pages, false, frames);
	if (err == ERR_OK)
		zero_memory(view->as, *frames, pages * PAGE_SIZE);
	return err;
}

bool fault_around_give_auto(struct addr_space_view *view, const struct area *area, uint64_t gpa, uint64_t *last)
{
	const struct fault_around window = auto_window(view, area, gpa);
	const unsigned pages = (unsigned)((window.end - window.start) / PAGE_SIZE);
	uint64_t *slot = npt_walk_cache_lookup(&view->cache, GPA(window.start));
	hpa_t frames;

	if (!slot || (pages & (pages - 1)) != 0 || !is_empty(slot, pages) ||
	    auto_memory(view, area, window.start, pages, &frames) != ERR_OK)
		return false;
	fill_window(view, area, window.start, slot, pages, frames);
	*last = window.end - PAGE_SIZE;
	return true;
}

enum err fault_around_fill(struct fault *fault, struct fault_around *window)
{
	enum err err;

	look_into(fault->as, fault->area, window);
	if (fill_at_once(fault->view, fault->area, window))
		return ERR_OK;
	/* Unmapping the zero page may have emptied the table that the walk ended in. */
	npt_find(&fault->as->npt, GPA(fault->gpa), &fault->cursor);
	err = map_fresh(fault->view, fault->area, &fault->cursor, fault->gpa, 0);
	if (err == ERR_OK)
		fault_around_fill_rest(fault->view, fault->area, window);
	return err;
}
