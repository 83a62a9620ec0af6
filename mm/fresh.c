/* SPDX-License-Identifier: BSD-2-Clause */
/* Mapping fresh memory or a zero page by one leaf, for faults, fault-around and populate. */
#include "mm/fault.h"

static enum err block_alloc(struct addr_space *as, unsigned order, hpa_t *block)
{
	enum err err = frame_alloc_for(order, as->id, block);

	if (err != ERR_OK)
		return err;
	zero_memory(as, *block, PAGE_SIZE << order);
	return ERR_OK;
}

enum err guest_frame_alloc(struct addr_space_view *view, unsigned order, hpa_t *frame)
{
	struct addr_space *as = view->as;

	if (1u << order <= RUN_TAKE_MAX)
		return run_take(view, 1u << order, true, frame);
	if (!cost_reserve(as, PAGE_SIZE << order))
		return ERR_NO_MEMORY; /* the caller may try smaller leaves */
	return block_alloc(as, order, frame);
}

enum err guest_block_alloc(struct addr_space_view *view, hpa_t *block)
{
	struct addr_space *as = view->as;

	return !as->cost.limit ? block_alloc(as, level_order(BLOCK_LEVEL), block) : ERR_NO_MEMORY;
}

/* The zero page that a leaf of `level` maps. */
static enum err zero_page(struct addr_space *as, unsigned level, hpa_t *block)
{
	enum err err = frame_zero_page(level_order(level), block);

	if (err == ERR_OK && !as->zero_page_published[level]) {
		publish_memory(as, *block, npt_level_size(level));
		as->zero_page_published[level] = true;
	}
	return err;
}

enum err map_fresh(struct addr_space_view *view, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa,
		   unsigned level)
{
	struct addr_space *as = view->as;
	hpa_t frame;
	enum err err = guest_frame_alloc(view, level_order(level), &frame);

	if (err != ERR_OK)
		return err;
	if (cursor->level == level) {
		npt_fill_at(&as->npt, cursor, frame, area->page);
	} else {
		as->cost.in_hand = npt_level_size(level);
		err = npt_map_at(&as->npt, cursor, GPA(align_down(gpa, npt_level_size(level))), level, frame, area->attr);
		as->cost.in_hand = 0;
	}
	if (err == ERR_OK)
		count_resident(as, npt_level_size(level));
	else
		give_back(as, frame.raw, frame.raw + npt_level_size(level));
	return err;
}

enum err map_zero(struct addr_space *as, const struct area *area, const struct npt_cursor *cursor, uint64_t gpa, unsigned level)
{
	struct npt_attr attr = area->attr;
	hpa_t block;
	enum err err = zero_page(as, level, &block);

	if (err != ERR_OK)
		return err;
	attr.prot &= (uint8_t)~NPT_W;
	attr.shared = true;
	err = npt_map_at(&as->npt, cursor, GPA(align_down(gpa, npt_level_size(level))), level, block, attr);
	if (err != ERR_OK)
		return err;
	as->view.stats.zero_leaves[level]++;
	if (level == 0) {
		as->zero_page = block;
		as->zero_entry[attr.prot] = npt_page_entry(&as->npt, attr);
	}
	return ERR_OK;
}

void replace_leaf(struct fault *fault, hpa_t hpa, unsigned ad_bits)
{
	npt_replace(&fault->as->npt, &fault->cursor, fault->leaf.gpa, hpa, fault->area->attr, ad_bits);
	count_resident(fault->as, npt_level_size(fault->leaf.level));
}

enum err reach_page(struct fault *fault)
{
	enum err err;

	fault->as->cost.in_hand = PAGE_SIZE; /* for that page */
	err = split_to_pages(fault->as, fault->gpa);
	fault->as->cost.in_hand = 0;
	if (err == ERR_OK) {
		npt_find(&fault->as->npt, GPA(fault->gpa), &fault->cursor);
		npt_decode(&fault->as->npt, &fault->cursor, GPA(fault->gpa), &fault->leaf);
	}
	return err;
}

void replace_zero_leaf(struct fault *fault, hpa_t frame, unsigned ad_bits)
{
	fault->as->view.stats.zero_leaves[fault->leaf.level]--;
	replace_leaf(fault, frame, ad_bits);
}

enum err break_zero_leaf(struct fault *fault, unsigned ad_bits)
{
	hpa_t frame;
	enum err err = guest_frame_alloc(fault->view, level_order(fault->leaf.level), &frame);

	if (err == ERR_OK)
		replace_zero_leaf(fault, frame, ad_bits);
	return err;
}
