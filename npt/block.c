/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block of 2 MiB is unmapped as a whole: its leaf; or its table of pages, whose entries need not be cleared, since the table
 * goes. The next block mostly has its entry in the same table, which is found again without a walk.
 */
#include "npt/block.h"

#include "npt/engine.h"

#define LEVEL 1 /* of the entry */

/* Most tables are all alike, or have long rows that are: so many entries are compared at once. */
#define ROW 32

/* Read by ordinary loads: of a table that is locked and unlinked, only hardware may change what the mask leaves out. */
static inline __attribute__((always_inline)) bool is_row(const uint64_t *slot, uint64_t pte, uint64_t mask, uint64_t step)
{
	uint64_t differ = 0;

	_Pragma("GCC unroll 32") for (unsigned i = 0; i < ROW; i++) differ |= slot[i] ^ (pte + i * step);
	return (differ & mask) == 0;
}

/* The first of the rows from `slot` on that is not alike. Most formats have addresses where they are: that step is a constant. */
static uint64_t *rows_alike(uint64_t *slot, const uint64_t *stop, uint64_t pte, uint64_t mask, uint64_t step)
{
	if (step == PAGE_SIZE)
		for (; stop - slot >= ROW && is_row(slot, pte, mask, PAGE_SIZE); slot += ROW)
			pte += ROW * PAGE_SIZE;
	else
		for (; stop - slot >= ROW && is_row(slot, pte, mask, step); slot += ROW)
			pte += ROW * step;
	return slot;
}

/* Where entries after `slot` are no longer contiguous with it. */
static uint64_t *alike(uint64_t *slot, uint64_t *stop, uint64_t pte, uint64_t mask, uint64_t step)
{
	uint64_t *const first = slot;

	slot = rows_alike(slot, stop, pte, mask, step);
	pte += (uint64_t)(slot - first) * step;
	for (; slot < stop && ((pte_load(slot) ^ pte) & mask) == 0; slot++)
		pte += step;
	return slot;
}

/* Tell of all leaves of a table of pages. Errors: ERR_CORRUPT, a malformed entry was met. */
static enum err report_pages(struct npt *npt, hpa_t table, uint64_t gpa, struct npt_gather *gather)
{
	const struct npt_format *format = npt->ops->format;
	uint64_t mask = ~format->hardware_ad_bits, step = engine_step(format, 0), removed = 0, pte;
	struct engine_run run = { .npt = npt, .format = format, .gpa = gpa, .table = table, .mask = ~UINT64_C(0) };
	uint64_t *slot;

	run.slot = slot = engine_entries(npt, table);
	run.stop = run.slot + NPT_ENTRIES;
	while ((slot = engine_next_leaf(&run, slot, &pte)) < run.stop) {
		uint64_t *const first = slot;

		slot = alike(slot, run.stop, pte, mask, step);
		removed += (uint64_t)(slot - first);
		gather->leaves_gone(gather, engine_leaf_addr(format, pte, 0), 0, (uint64_t)(slot - first));
	}
	npt->leaves[0] -= removed;
	return run.err;
}

/* Find the entry of the block. Errors: ERR_NOT_FOUND, nothing is there; ERR_EXISTS, a larger leaf is. */
static enum err find_place(struct npt *npt, uint64_t gpa, struct npt_block_place *place)
{
	uint64_t region = gpa >> (PAGE_SHIFT + (LEVEL + 1) * NPT_INDEX_BITS);
	struct npt_cursor cursor;
	enum npt_kind kind;

	if (place->entries && place->region == region)
		return ERR_OK;
	kind = engine_find(npt, gpa, LEVEL, &cursor);
	if (cursor.level != LEVEL)
		return kind == NPT_EMPTY ? ERR_NOT_FOUND : ERR_EXISTS;
	place->entries = cursor.slot - engine_index(gpa, LEVEL);
	place->present = npt->env->present(npt->env, cursor.table);
	place->region = region;
	return ERR_OK;
}

/* An entry that is not like the last leaf. */
static __attribute__((noinline)) enum npt_kind look_at(const struct npt_format *format, uint64_t pte, struct npt_block_place *place)
{
	enum npt_kind kind = pte == 0 ? NPT_EMPTY : format->kind(pte, LEVEL);

	if (kind == NPT_LEAF) {
		place->value = pte;
		place->address = engine_varying(format, LEVEL);
		place->mask = ~(place->address | format->hardware_ad_bits);
	}
	return kind;
}

/* Every format has three levels at least, so that the entry is in a table that goes when it has become empty. */
enum err npt_unmap_block(struct npt *npt, gpa_t gpa, struct npt_block_place *place, struct npt_gather *gather)
{
	const struct npt_format *format = npt->ops->format;
	enum err err = find_place(npt, gpa.raw, place);
	enum npt_kind kind = NPT_LEAF;
	uint64_t *slot, pte;

	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	slot = place->entries + engine_index(gpa.raw, LEVEL);
	pte = pte_load(slot);
	if (((pte ^ place->value) & place->mask) != 0 || place->mask == 0)
		kind = look_at(format, pte, place);
	if (kind == NPT_EMPTY || kind == NPT_MALFORMED)
		return kind == NPT_EMPTY ? ERR_OK : ERR_CORRUPT;
	if (kind != NPT_SHARED)
		pte_store(slot, 0);
	if (kind == NPT_SHARED) {
		engine_leave_table(npt, gpa.raw, slot, gather);
	} else if (kind == NPT_LEAF) {
		npt->leaves[LEVEL]--;
		gather->leaves_gone(gather, engine_leaf_addr(format, pte, LEVEL), LEVEL, 1);
	} else {
		npt_walk_cache_invalidate(npt, gpa.raw, 0);
		err = report_pages(npt, engine_table_addr(format, pte), gpa.raw, gather);
		engine_gather_table(gather, engine_table_addr(format, pte));
	}
	npt_gather_range(gather, gpa.raw, gpa.raw + npt_level_size(LEVEL));
	if (--*place->present == 0) {
		*place = (struct npt_block_place){ 0 };
		engine_prune(npt, gpa.raw, gather);
	}
	return err;
}
