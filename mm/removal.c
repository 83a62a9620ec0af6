/* SPDX-License-Identifier: BSD-2-Clause */
/* Removal of leaves: split at the boundaries of a range, unmapped, and their memory released after the flush. */
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
	uint64_t low, high, tables = as->npt.table_bytes;
	enum err err;

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

void release_leaves(struct removal *removal, hpa_t hpa, unsigned level, uint64_t count)
{
	struct addr_space *as = removal->as;
	uint64_t left = count * npt_level_size(level), size, owned;

	for (; left > 0; left -= size, hpa.raw += size) {
		size = frame_zero_page_border(hpa, left);
		if (frame_is_zero_page(hpa)) {
			as->view.stats.zero_leaves[level] -= size / npt_level_size(level);
			continue;
		}
		owned = frame_chain_add(&removal->frames, hpa, size >> PAGE_SHIFT, as->id);
		count_gone(as, owned);
		as->view.stats.shared -= size - owned;
	}
}

static void leaves_gone(struct npt_gather *gather, hpa_t hpa, unsigned level, uint64_t count)
{
	release_leaves(CONTAINER_OF(gather, struct removal, gather), hpa, level, count);
}

void removal_init(struct removal *removal, struct addr_space *as)
{
	*removal = (struct removal){ .as = as };
	npt_gather_init(&removal->gather, &as->npt);
}

void remove_leaves(struct removal *removal, uint64_t start, uint64_t end, bool owned)
{
	removal->gather.leaves_gone = owned ? leaves_gone : NULL;
	if (npt_unmap(&removal->as->npt, GPA(start), end - start, &removal->gather) != ERR_OK)
		panic("addr_space: malformed entry in [%#lx, %#lx)", start, end);
}

void removal_finish(struct removal *removal)
{
	npt_gather_finish(&removal->gather);
	frame_chain_free(&removal->frames);
}
