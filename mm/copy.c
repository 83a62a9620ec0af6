/* SPDX-License-Identifier: BSD-2-Clause */
/* One part of guest memory is copied to another: by mapping its pages a second time, copy-on-write, where that can be done. */
#include "include/arch/machine.h"
#include "mm/space.h"

/* So many pages are looked at, and flushed, together. */
#define COPY_PAGES 32

/* What is done with pages that follow each other. */
enum way {
	WAY_COPY,
	WAY_SHARE, /* map them once more */
	WAY_ZEROS, /* they are zeros: map nothing */
};

/* Pages that are dealt with in one way. */
struct run_of_pages {
	enum way way;
	unsigned count;
	hpa_t memory[COPY_PAGES]; /* of what is to be shared */
};

/* May pages be mapped at [to, to + size), and those of [from, from + size) be read? The area of `to`; NULL: they may not. */
static const struct area *area_to_map(struct addr_space *as, gpa_t to, gpa_t from, uint64_t size)
{
	const struct area *source = area_find(&as->areas, from.raw), *area = area_find(&as->areas, to.raw);

	if (!source || source->end - from.raw < size || source->backend != AREA_ALLOC || !(source->attr.prot & NPT_R))
		return NULL;
	if (!area || area->end - to.raw < size || area->backend != AREA_ALLOC || (area->attr.prot & NPT_RW) != NPT_RW)
		return NULL;
	return area->policy == ALLOC_POPULATE ? NULL : area;
}

/* The way for one page; `*memory` is set if that is to be shared. Memory that is the space's own is not: it would be its own twice.
 */
static enum way way_of(struct addr_space *as, uint64_t to, uint64_t from, hpa_t *memory)
{
	struct npt_cursor cursor;
	struct npt_leaf leaf;

	if (npt_find(&as->npt, GPA(to), &cursor) == NPT_LEAF && cursor.level > 0)
		return WAY_COPY;
	if (npt_find(&as->npt, GPA(from), &cursor) != NPT_LEAF)
		return WAY_ZEROS;
	npt_decode(&as->npt, &cursor, GPA(from), &leaf);
	if (!leaf.attr.shared)
		return WAY_COPY;
	note_shared_leaf(as, &cursor, &leaf);
	if (leaf.level > 0 && !leaf.access_tracked)
		npt_walk_cache_insert_leaf(&as->view.cache, from, cursor.slot, cursor.pte,
					   HPA(leaf.hpa.raw + (from - leaf.gpa.raw)));
	*memory = HPA(leaf.hpa.raw + (from - leaf.gpa.raw));
	if (frame_is_zero_page(*memory))
		return WAY_ZEROS;
	return frame_not_owned(*memory, 0, as->id) > 0 ? WAY_SHARE : WAY_COPY;
}

/* The first pages of the range that have the same way. A reference to what is to be shared is taken. */
static void find_run(struct addr_space *as, uint64_t to, uint64_t from, unsigned pages, struct run_of_pages *run)
{
	hpa_t memory = HPA(0);
	enum way way;

	for (run->count = 0; run->count < pages; run->count++, to += PAGE_SIZE, from += PAGE_SIZE) {
		way = way_of(as, to, from, &memory);
		if (run->count > 0 && way != run->way)
			break;
		run->way = way;
		run->memory[run->count] = memory;
		if (way != WAY_SHARE)
			continue;
		frame_share(memory, 0);
		as->view.stats.shared += PAGE_SIZE;
	}
}

/* The guest's page may have been written, as addr_space_write does it. */
static enum err map_page_again(struct addr_space *as, gpa_t gpa, hpa_t memory, struct npt_attr attr)
{
	struct npt_cursor cursor;
	enum err err;

	(void)npt_find(&as->npt, gpa, &cursor);
	err = npt_map_at(&as->npt, &cursor, gpa, 0, memory, attr);
	if (err != ERR_OK)
		return err;
	(void)npt_find(&as->npt, gpa, &cursor);
	npt_touch(&as->npt, &cursor, 0, NPT_ACCESSED | NPT_DIRTY);
	return ERR_OK;
}

/* Nothing is mapped at `to` any more. What cannot be mapped for lack of a table is let go of. */
static enum err map_run(struct addr_space *as, gpa_t to, const struct area *area, const struct run_of_pages *run)
{
	struct npt_attr attr = area->attr;
	enum err err = ERR_OK;

	attr.prot &= (uint8_t)~NPT_W;
	attr.shared = true;
	for (unsigned i = 0; i < run->count; i++) {
		if (err == ERR_OK)
			err = map_page_again(as, GPA(to.raw + i * PAGE_SIZE), run->memory[i], attr);
		if (err != ERR_OK)
			drop_page(as, run->memory[i]);
	}
	return err;
}

static void unmap_run(struct addr_space *as, gpa_t to, const struct run_of_pages *run)
{
	struct removal removal;

	removal_init(&removal, as);
	remove_leaves(&removal, to.raw, to.raw + run->count * PAGE_SIZE, true);
	removal_finish(&removal);
	reservations_drop(as);
}

/* --- One page ---------------------------------------------------------------------------------------------------------- */

static inline bool is_shared_leaf(const struct addr_space *as, const struct npt_cached_leaf *leaf)
{
	return (leaf->bits & as->npt.page.fixed) == as->shared_leaf[leaf->large];
}

/*
 * The pages at `to` and `from`, where the walk cache has both, and `to` is one that can be replaced: no zero page, as nothing is
 * that can be written. False: look closely.
 */
static inline bool find_pages(struct addr_space *as, gpa_t to, gpa_t from, struct npt_cached_leaf *old,
			      struct npt_cached_leaf *source)
{
	return npt_leaf_cached(&as->npt, &as->view.cache, to, old) && npt_leaf_cached(&as->npt, &as->view.cache, from, source) &&
	       !old->large && (old->bits == as->usable[false][true] || !frame_is_zero_page(old->page));
}

/*
 * Map at `to`, a page, what is shared at `from`: what find_run, unmap_run and map_run do for many. False: nothing was changed; do
 * it so.
 */
static bool map_over(struct addr_space *as, gpa_t to, gpa_t from)
{
	struct npt_cached_leaf old, source;
	struct npt_cursor cursor = { .level = 0 };
	const struct area *area;
	struct npt_attr attr;
	hpa_t page;

	if (!find_pages(as, to, from, &old, &source) || !npt_is_page(&as->npt, *old.slot, &page) || !is_shared_leaf(as, &source) ||
	    frame_is_zero_page(source.page))
		return false;
	area = area_to_map(as, to, from, PAGE_SIZE);
	if (!area || !frame_share_other(source.page, as->id))
		return false;
	attr = area->attr;
	attr.prot &= (uint8_t)~NPT_W;
	attr.shared = true;
	cursor.slot = old.slot;
	npt_replace(&as->npt, &cursor, to, source.page, attr, NPT_ACCESSED | NPT_DIRTY);
	as->view.stats.shared += PAGE_SIZE;
	drop_page(as, page);
	if (any_reservation(as))
		reservations_drop(as);
	return true;
}

/*
 * Let the page at `to`, which is shared, have a frame of its own with what is at `from`: what was there need not be copied first.
 * False: nothing was changed; do it so.
 */
static bool overwrite(struct addr_space *as, gpa_t to, gpa_t from)
{
	struct npt_cached_leaf old, source;
	const struct area *area;
	struct frame_copy copy;
	hpa_t frame;

	if (!find_pages(as, to, from, &old, &source) || !is_shared_leaf(as, &old) || source.bits != as->usable[source.large][false])
		return false;
	area = area_to_map(as, to, from, PAGE_SIZE);
	if (!area || frame_alloc_copy(old.page, as->id, &copy) != ERR_OK || copy.frame.raw == 0)
		return false;
	frame = copy.frame;
	if (!cost_fits(as, PAGE_SIZE)) {
		frame_free(frame, 0);
		return false;
	}
	sync_memory(as, source.page, PAGE_SIZE);
	arch_copy_page(frame_ptr(frame), frame_ptr(source.page));
	publish_memory(as, frame, PAGE_SIZE);
	npt_replace_page(&as->npt, to, old.slot, frame, area->page);
	count_resident(as, PAGE_SIZE);
	drop_page(as, old.page);
	return true;
}

/* With the space locked. Compiled for each of the two. */
static inline __attribute__((always_inline)) bool replace_page(struct addr_space *as, gpa_t to, gpa_t from,
							       bool (*replace)(struct addr_space *as, gpa_t to, gpa_t from))
{
	bool done;

	space_lock(as);
	done = replace(as, to, from);
	space_unlock(as);
	return done;
}

/* --- Any number ------------------------------------------------------------------------------------------------------ */

/* Deal with some pages, `*size` of which at most; that becomes what is done. */
static enum err copy_pages(struct addr_space *as, gpa_t to, gpa_t from, uint64_t *size)
{
	struct run_of_pages run;
	const struct area *area;
	enum err err = ERR_OK;

	run.way = WAY_COPY;
	run.count = (unsigned)min_u64(*size / PAGE_SIZE, COPY_PAGES);
	space_lock(as);
	area = area_to_map(as, to, from, run.count * PAGE_SIZE);
	if (area && npt_own_tables(&as->npt, to, run.count * PAGE_SIZE) != ERR_OK)
		area = NULL;
	if (area)
		find_run(as, to.raw, from.raw, run.count, &run);
	if (run.way != WAY_COPY)
		unmap_run(as, to, &run);
	if (run.way == WAY_SHARE)
		err = map_run(as, to, area, &run);
	space_unlock(as);
	*size = run.count * PAGE_SIZE;
	/* Without memory for a table: a fault may find some. */
	return run.way == WAY_COPY || err != ERR_OK ? addr_space_copy_bytes(as, to, from, *size) : ERR_OK;
}

enum err addr_space_copy(struct addr_space *as, gpa_t to, gpa_t from, uint64_t size)
{
	uint64_t piece;
	enum err err = ERR_OK;

	if (!is_aligned(to.raw ^ from.raw, PAGE_SIZE))
		return addr_space_copy_bytes(as, to, from, size);
	if (size == PAGE_SIZE && is_aligned(to.raw, PAGE_SIZE) && replace_page(as, to, from, map_over))
		return ERR_OK;
	for (; err == ERR_OK && size > 0; size -= piece, to.raw += piece, from.raw += piece) {
		piece = size;
		if (is_aligned(to.raw, PAGE_SIZE) && size >= PAGE_SIZE) {
			err = copy_pages(as, to, from, &piece);
			continue;
		}
		piece = min_u64(size, PAGE_SIZE - to.raw % PAGE_SIZE);
		err = addr_space_copy_bytes(as, to, from, piece);
	}
	return err;
}

enum err addr_space_store(struct addr_space *as, gpa_t to, gpa_t from, uint64_t size)
{
	uint64_t piece;
	enum err err = ERR_OK;

	for (; err == ERR_OK && size > 0; size -= piece, to.raw += piece, from.raw += piece) {
		piece = min_u64(size, PAGE_SIZE - to.raw % PAGE_SIZE);
		if (piece < PAGE_SIZE || !is_aligned(from.raw, PAGE_SIZE) || !replace_page(as, to, from, overwrite))
			err = addr_space_copy_bytes(as, to, from, piece);
	}
	return err;
}
