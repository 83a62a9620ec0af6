/* SPDX-License-Identifier: BSD-2-Clause */
/* Removal of leaves: split at the boundaries of a range, unmapped, and their memory released after the flush. */
#include <string.h>

#include "include/arch/machine.h"
#include "include/panic.h"
#include "mm/space.h"

/* --- Splits ------------------------------------------------------------------------------------------------------- */

/* The leaf of the large zero page that a split at `edge` would split; UINT64_MAX: there is none. */
static uint64_t large_zero_page_across(const struct addr_space *as, uint64_t edge)
{
	struct npt_leaf leaf;

	if (is_aligned(edge, BLOCK_SIZE) || npt_query(&as->npt, GPA(edge), &leaf) != ERR_OK || leaf.level != BLOCK_LEVEL ||
	    !frame_is_zero_page(leaf.hpa))
		return UINT64_MAX;
	return leaf.gpa.raw;
}

static void count_zero_split(struct addr_space *as)
{
	as->view.stats.zero_leaves[BLOCK_LEVEL]--;
	as->view.stats.zero_leaves[0] += BLOCK_PAGES;
}

/* Each table that a split took is one leaf split. */
static void count_splits(struct addr_space *as, uint64_t tables_before)
{
	as->view.stats.split += (as->npt.table_bytes - tables_before) / PAGE_SIZE;
}

enum err split_leaves_at_boundaries(struct addr_space *as, uint64_t start, uint64_t end)
{
	uint64_t low, high, tables;
	enum err err;

	err = npt_own_ends(&as->npt, GPA(start), end - start);
	if (err != ERR_OK)
		return err;
	tables = as->npt.table_bytes;
	low = large_zero_page_across(as, start);
	high = large_zero_page_across(as, end);
	err = npt_split_at_boundaries(&as->npt, GPA(start), end - start);
	if (err != ERR_OK)
		return err;
	count_splits(as, tables);
	if (low != UINT64_MAX)
		count_zero_split(as);
	if (high != UINT64_MAX && high != low)
		count_zero_split(as);
	return ERR_OK;
}

enum err split_to_pages(struct addr_space *as, uint64_t gpa)
{
	bool zero = large_zero_page_across(as, gpa | PAGE_SIZE) != UINT64_MAX;
	uint64_t tables = as->npt.table_bytes;
	enum err err = npt_split(&as->npt, GPA(gpa), 0);

	if (err != ERR_OK)
		return err;
	count_splits(as, tables);
	if (zero)
		count_zero_split(as);
	return ERR_OK;
}

/* --- Removal ------------------------------------------------------------------------------------------------------ */

/* A frame full of parts. */
struct part_frame {
	hpa_t next;
	struct removal_part parts[(PAGE_SIZE - sizeof(hpa_t)) / sizeof(struct removal_part)];
};
#define FRAME_PARTS ARRAY_LEN(((struct part_frame *)NULL)->parts)
_Static_assert(FRAME_PARTS % REMOVAL_PARTS == REMOVAL_PARTS - 1, "the last place in a frame stays empty, and ends it");

void count_released(struct addr_space *as, uint64_t size, uint64_t owned)
{
	if (owned > 0)
		count_gone(as, owned);
	as->view.stats.shared -= size - owned;
}

/* No CPU uses the memory any more. */
static void drop_part(struct removal *removal, const struct removal_part *part)
{
	uint64_t owned = frame_chain_add(&removal->frames, part->memory, part->size >> PAGE_SHIFT, removal->as->id);

	cost_orphans_of(removal->as, &removal->frames);
	count_released(removal->as, part->size, owned);
}

static void drop_frames_of_parts(struct removal *removal)
{
	while (removal->more.raw != 0) {
		hpa_t frame = removal->more;
		const struct part_frame *full = frame_ptr(frame);

		for (unsigned i = 0; full->parts[i].size > 0; i++)
			drop_part(removal, &full->parts[i]);
		removal->more = full->next;
		frame_free(frame, 0);
	}
}

static void drop_parts(struct removal *removal)
{
	for (unsigned i = 0; i < removal->count; i++)
		drop_part(removal, &removal->parts[i]);
	removal->count = 0;
	drop_frames_of_parts(removal);
}

/* Make room for more parts: move them to a frame; without memory for that, flush now. */
static void move_parts(struct removal *removal)
{
	struct part_frame *to = removal->more.raw != 0 ? frame_ptr(removal->more) : NULL;
	unsigned filled = 0;
	hpa_t frame;

	while (to && to->parts[filled].size > 0)
		filled += REMOVAL_PARTS;
	if (!to || filled + REMOVAL_PARTS > FRAME_PARTS) {
		if (frame_alloc_need(FRAME_CALL, 0, 0, &frame) != ERR_OK) {
			npt_gather_flush(&removal->gather);
			drop_parts(removal);
			return;
		}
		to = frame_ptr(frame);
		arch_zero_pages(to, PAGE_SIZE);
		to->next = removal->more;
		removal->more = frame;
		filled = 0;
	}
	memcpy(&to->parts[filled], removal->parts, sizeof(removal->parts));
	removal->count = 0;
}

/* Keep in mind that a reference is to be dropped after the flush. */
static void keep_part(struct removal *removal, hpa_t memory, uint64_t size)
{
	struct removal_part *last = removal->count > 0 ? &removal->parts[removal->count - 1] : NULL;

	if (last && last->memory.raw + last->size == memory.raw) {
		last->size += size;
		return;
	}
	if (removal->count == REMOVAL_PARTS)
		move_parts(removal);
	removal->parts[removal->count++] = (struct removal_part){ memory, size };
}

static __attribute__((noinline)) void release_others(struct removal *removal, hpa_t hpa, unsigned level, uint64_t left)
{
	struct addr_space *as = removal->as;
	uint64_t size, done, owned;

	for (; left > 0; left -= size, hpa.raw += size) {
		size = frame_zero_page_border(hpa, left);
		if (frame_is_zero_page(hpa)) {
			as->view.stats.zero_leaves[level] -= size / npt_level_size(level);
			continue;
		}
		done = frame_chain_add_unshared(&removal->frames, hpa, size >> PAGE_SHIFT, as->id, &owned) << PAGE_SHIFT;
		cost_orphans_of(as, &removal->frames);
		count_released(as, done, owned);
		if (done < size)
			keep_part(removal, HPA(hpa.raw + done), size - done);
	}
}

/* Mostly all of it is the space's own. */
void release_leaves(struct removal *removal, hpa_t hpa, unsigned level, uint64_t count)
{
	uint64_t left = count * npt_level_size(level);
	uint64_t done = frame_chain_add_owned(&removal->frames, hpa, left >> PAGE_SHIFT, removal->as->id) << PAGE_SHIFT;

	removal->owned += done;
	if (done < left)
		release_others(removal, HPA(hpa.raw + done), level, left - done);
}

void drop_page(struct addr_space *as, hpa_t page)
{
	int64_t orphans;
	uint64_t owned = frame_drop_page(page, as->id, &orphans);

	cost_orphans(as, orphans);
	count_released(as, PAGE_SIZE, owned);
}

static void leaves_gone(struct npt_gather *gather, hpa_t hpa, unsigned level, uint64_t count)
{
	struct removal *removal = CONTAINER_OF(gather, struct removal, gather);

	removal->runs++;
	release_leaves(removal, hpa, level, count);
}

void removal_init(struct removal *removal, struct addr_space *as)
{
	removal->as = as;
	removal->frames = (struct frame_chain){ 0 };
	removal->runs = 0;
	removal->owned = 0;
	removal->place = (struct npt_block_place){ 0 };
	removal->count = 0; /* and so `parts` is not read */
	removal->more = HPA(0);
	npt_gather_init(&removal->gather, &as->npt);
}

void remove_leaves(struct removal *removal, uint64_t start, uint64_t end, bool owned)
{
	removal->gather.leaves_gone = owned ? leaves_gone : NULL;
	if (npt_unmap(&removal->as->npt, GPA(start), end - start, &removal->gather) != ERR_OK)
		panic("addr_space: malformed entry in [%#lx, %#lx)", start, end);
}

bool remove_block(struct removal *removal, uint64_t start)
{
	enum err err;

	removal->gather.leaves_gone = leaves_gone;
	err = npt_unmap_block(&removal->as->npt, GPA(start), &removal->place, &removal->gather);
	if (err == ERR_CORRUPT)
		panic("addr_space: malformed entry in the block at %#lx", start);
	return err == ERR_OK;
}

void removal_finish(struct removal *removal)
{
	npt_gather_finish(&removal->gather);
	count_gone(removal->as, removal->owned);
	drop_parts(removal);
	frame_chain_free(&removal->frames);
}
