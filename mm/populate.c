/* SPDX-License-Identifier: BSD-2-Clause */
/* Populate: memory for all pages of a range at once. */
#include "mm/fault.h"

/* The level of the largest leaf, or of as many pages, that fits between the empty entry's bounds and the range's. */
static unsigned largest_level(const struct npt_cursor *cursor, uint64_t at, uint64_t end)
{
	unsigned level = (unsigned)min_u64(NPT_LEAF_LEVELS - 1, cursor->level);

	while (level > 0 && (!is_aligned(at, npt_level_size(level)) || end - at < npt_level_size(level)))
		level--;
	return level;
}

/* Map one block of frames, of the size of a leaf of `level`, at the unmapped range at `at`. */
static enum err populate_block(struct addr_space *as, const struct area *area, uint64_t at, unsigned level)
{
	uint64_t size = npt_level_size(level);
	hpa_t frames;
	enum err err = guest_frame_alloc(&as->view, level_order(level), &frames);

	if (err != ERR_OK)
		return err;
	as->cost.in_hand = size;
	err = npt_map(&as->npt, GPA(at), frames, size, area->attr);
	as->cost.in_hand = 0;
	if (err == ERR_OK)
		count_resident(as, size);
	else
		give_back(as, frames.raw, frames.raw + size);
	return err;
}

/* Zero-page break of the leaf, as large as it is if there is a block for it. */
static enum err populate_zeros(struct fault *fault)
{
	unsigned ad_bits = fault->as->npt.config.hardware_ad ? 0 : NPT_ACCESSED;
	enum err err = break_zero_leaf(fault, ad_bits);

	if (err != ERR_OK && fault->leaf.level > 0) {
		err = reach_page(fault);
		if (err == ERR_OK)
			err = break_zero_leaf(fault, ad_bits);
	}
	return err;
}

/* Back the page or block at `*at` if it has no memory; moves past it. */
static enum err populate_at(struct addr_space *as, const struct area *area, uint64_t *at, uint64_t end)
{
	struct fault fault = { .as = as, .view = &as->view, .area = area, .gpa = *at, .access = NPT_RW };
	unsigned level = 0;
	enum npt_kind kind = npt_find(&as->npt, GPA(*at), &fault.cursor);
	enum err err = ERR_OK;

	if (fault.cursor.shared) {
		err = npt_own_table(&as->npt, GPA(*at));
		if (err != ERR_OK)
			return err;
		kind = npt_find(&as->npt, GPA(*at), &fault.cursor);
	}
	if (kind == NPT_EMPTY) {
		level = largest_level(&fault.cursor, *at, end);
		while ((err = populate_block(as, area, *at, level)) == ERR_NO_MEMORY && level > 0)
			level--;
	} else {
		npt_decode(&as->npt, &fault.cursor, GPA(*at), &fault.leaf);
		if (frame_is_zero_page(fault.leaf.hpa))
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
