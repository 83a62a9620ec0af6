/* SPDX-License-Identifier: BSD-2-Clause */
/* Split leaves, split at boundaries, and collapse: the same memory mapped by smaller or larger leaves. */
#include "npt/batch.h"
#include "npt/engine.h"

/* Tables that splitting at both boundaries of a range can need: two levels at each end. */
#define ENGINE_MAX_BOUNDARY_TABLES (2 * (NPT_LEAF_LEVELS - 1))

/* --- Split --- */

/* Replace the large leaf at `cursor` by `table` full of smaller ones. */
static void split_leaf(struct npt *npt, const struct npt_cursor *cursor, uint64_t gpa, hpa_t table)
{
	const struct npt_format *format = npt->ops->format;
	unsigned level = cursor->level;
	uint64_t size = npt_level_size(level);
	uint64_t *entries = engine_entries(npt, table);
	uint64_t step = engine_step(format, level - 1);
	uint64_t pte = cursor->pte;

	if (format->break_before_make) {
		pte = __atomic_exchange_n(cursor->slot, 0, __ATOMIC_ACQ_REL);
		npt->env->flush(npt->env, GPA(align_down(gpa, size)), size);
	}
	do {
		uint64_t child = format->split(pte, level);

		for (unsigned i = 0; i < NPT_ENTRIES; i++, child += step)
			entries[i] = child;
		if (format->break_before_make) {
			pte_store(cursor->slot, format->table(table));
			break;
		}
	} while (!pte_replace(cursor->slot, &pte, format->table(table)));
	*npt->env->present(npt->env, table) = NPT_ENTRIES;
	npt->leaves[level]--;
	npt->leaves[level - 1] += NPT_ENTRIES;
}

enum err npt_split(struct npt *npt, gpa_t gpa, unsigned level)
{
	struct npt_cursor cursor;
	hpa_t tables[NPT_LEAF_LEVELS - 1];
	unsigned count;
	enum err err;

	if (gpa.raw >= npt->end)
		return ERR_RANGE;
	if (engine_find(npt, gpa.raw, 0, &cursor) != NPT_LEAF)
		return ERR_NOT_FOUND;
	count = cursor.level > level ? cursor.level - level : 0;
	err = engine_alloc_tables(npt, tables, count);
	while (err == ERR_OK && count > 0) {
		split_leaf(npt, &cursor, gpa.raw, tables[--count]);
		engine_find(npt, gpa.raw, 0, &cursor);
	}
	return err;
}

/* How many tables it takes to make `edge` a boundary between leaves. */
static unsigned boundary_tables(const struct npt *npt, uint64_t edge, struct npt_cursor *cursor)
{
	unsigned cost = 0;

	if (edge == npt->end || engine_find(npt, edge, 0, cursor) != NPT_LEAF)
		return 0;
	while (cost < cursor->level && !is_aligned(edge, npt_level_size(cursor->level - cost)))
		cost++;
	return cost;
}

/* All tables are allocated before the first entry changes. */
enum err npt_split_at_boundaries(struct npt *npt, gpa_t gpa, uint64_t size)
{
	const uint64_t edges[] = { gpa.raw, gpa.raw + size };
	struct npt_cursor cursor;
	hpa_t tables[ENGINE_MAX_BOUNDARY_TABLES];
	unsigned count;
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err != ERR_OK)
		return err;
	if (npt_walk_cache_covers(npt->cache, gpa, size))
		return ERR_OK;
	err = npt_own_ends(npt, gpa, size);
	if (err != ERR_OK)
		return err;
	count = boundary_tables(npt, edges[0], &cursor) + boundary_tables(npt, edges[1], &cursor);
	if (count == 0)
		return ERR_OK;
	err = engine_alloc_tables(npt, tables, count);
	if (err != ERR_OK)
		return err;
	for (unsigned i = 0; i < ARRAY_LEN(edges); i++)
		while (boundary_tables(npt, edges[i], &cursor) > 0)
			split_leaf(npt, &cursor, edges[i], tables[--count]);
	while (count > 0) /* both edges were in one leaf */
		engine_free_table(npt, tables[--count]);
	return ERR_OK;
}

/* --- Collapse --- */

/* The table below the entry of `level` around `gpa`, and that entry, if there is one. */
static bool table_at(const struct npt *npt, uint64_t gpa, unsigned level, struct npt_cursor *cursor, hpa_t *table)
{
	if (engine_find(npt, gpa, level, cursor) != NPT_TABLE)
		return false;
	*table = engine_table_addr(npt->ops->format, cursor->pte);
	return true;
}

/* From entry `i` of a table on, skip those of the batch, whose first one would be entry 0. False: none of the `left` present
 * entries are left. */
static bool pass_batch(const uint64_t *entries, struct npt_batch batch, unsigned *i, unsigned *left)
{
	unsigned count;

	batch.entry += *i * batch.step;
	count = npt_batch_length(entries + *i, batch, (unsigned)min_u64(*left, NPT_ENTRIES - *i));
	*i += count;
	*left -= count;
	return *left > 0 && *i < NPT_ENTRIES;
}

/* Does the table hold leaves only, besides empty entries? */
static bool has_leaves_only(const struct npt_format *format, const struct npt *npt, hpa_t table, unsigned level)
{
	const uint64_t *entries = engine_entries(npt, table);
	unsigned left = *npt->env->present(npt->env, table);
	struct npt_batch batch = { 0 }; /* leaves; what differs from one by the address only is one, too */

	for (unsigned i = 0; pass_batch(entries, batch, &i, &left); i++) {
		uint64_t pte = pte_load(entries + i);
		enum npt_kind kind;

		if (pte == 0)
			continue;
		left--;
		kind = format->kind(pte, level);
		if (kind != NPT_LEAF && kind != NPT_EMPTY)
			return false;
		if (kind == NPT_LEAF) {
			batch.mask = ~engine_varying(format, level);
			batch.entry = pte & batch.mask;
		}
	}
	return true;
}

/*
 * Call `move` for the leaves of a table that no CPU can reach any more, but for those that map what they will in one leaf of `hpa`;
 * returns the accessed and dirty bits that any of them had.
 */
static unsigned collapse_table(const struct npt_format *format, struct npt *npt, hpa_t table, uint64_t gpa, unsigned level,
			       hpa_t hpa, npt_visitor move, void *context)
{
	const uint64_t *entries = engine_entries(npt, table);
	const uint64_t varying = engine_varying(format, level), step = engine_step(format, level);
	const unsigned present = *npt->env->present(npt->env, table);
	unsigned left = present, ad_bits = 0;
	uint64_t place = hpa.raw >> format->page.shift;
	struct npt_batch batch = { 0 }; /* leaves in their place, whose accessed and dirty bits have been looked at */

	for (unsigned i = 0; pass_batch(entries, batch, &i, &left); i++) {
		uint64_t pte = pte_load(entries + i);
		bool alike = batch.mask != 0 && ((pte ^ batch.entry) & ~varying) == 0;

		if (pte == 0 || (!alike && format->kind(pte, level) != NPT_LEAF))
			continue;
		if (!alike) {
			ad_bits |= engine_ad_bits(format, pte);
			batch = (struct npt_batch){ .entry = (pte & ~varying) + place, .mask = ~UINT64_C(0), .step = step };
		}
		left--;
		if (move && (pte & varying) != place + i * step) {
			struct npt_leaf leaf;

			npt->ops->decode(pte, gpa + i * npt_level_size(level), level, &leaf);
			move(&leaf, context);
		}
	}
	npt->leaves[level] -= present - left;
	return ad_bits;
}

enum err npt_collapse(struct npt *npt, gpa_t gpa, unsigned level, hpa_t hpa, struct npt_attr attr, npt_visitor move, void *context)
{
	const struct npt_format *format = npt->ops->format;
	uint64_t size, start;
	struct npt_cursor cursor;
	unsigned ad_bits;
	hpa_t table;
	enum err err;

	if (level == 0 || level >= NPT_LEAF_LEVELS)
		return ERR_INVALID;
	size = npt_level_size(level);
	start = align_down(gpa.raw, size);
	err = gpa.raw < npt->end ? engine_check_leaf(format, npt, start, level, hpa, attr) : ERR_RANGE;
	if (err != ERR_OK)
		return err;
	if (!table_at(npt, start, level, &cursor, &table) || !has_leaves_only(format, npt, table, level - 1))
		return ERR_NOT_FOUND;
	pte_store(cursor.slot, 0);
	npt_walk_cache_invalidate(npt, start, level - 1);
	npt->env->flush(npt->env, GPA(start), size);
	ad_bits = collapse_table(format, npt, table, start, level - 1, hpa, move, context);
	pte_store(cursor.slot, engine_leaf_with_ad(format, hpa, attr, ad_bits, level, npt->config.hardware_ad));
	npt->leaves[level]++;
	engine_free_table(npt, table);
	return ERR_OK;
}

/* Does `pte` map, in the same way, what is `distance` leaves behind what `first` maps? */
static bool continues(const struct npt_format *format, uint64_t first, uint64_t pte, unsigned distance, unsigned level)
{
	struct npt_attr a, b;

	if (format->kind(pte, level) != NPT_LEAF ||
	    engine_leaf_addr(format, pte, level).raw - engine_leaf_addr(format, first, level).raw !=
		    distance * npt_level_size(level))
		return false;
	a = engine_attr(format, first, level);
	b = engine_attr(format, pte, level);
	return a.prot == b.prot && a.memtype == b.memtype && a.shared == b.shared;
}

bool npt_collapse_in_place(struct npt *npt, gpa_t gpa, unsigned level)
{
	const struct npt_format *format = npt->ops->format;
	struct npt_cursor cursor;
	const uint64_t *entries;
	uint64_t first;
	hpa_t table;

	if (level == 0 || level > npt->config.max_leaf || gpa.raw >= npt->end || !table_at(npt, gpa.raw, level, &cursor, &table))
		return false;
	entries = engine_entries(npt, table);
	first = pte_load(entries);
	if (format->kind(first, level - 1) != NPT_LEAF ||
	    !is_aligned(engine_leaf_addr(format, first, level - 1).raw, npt_level_size(level)))
		return false;
	/* From the last one back: tables are filled from their start more often than from their end. */
	for (unsigned i = NPT_ENTRIES - 1; i > 0; i--)
		if (!continues(format, first, pte_load(entries + i), i, level - 1))
			return false;
	return npt_collapse(npt, gpa, level, engine_leaf_addr(format, first, level - 1), engine_attr(format, first, level - 1),
			    NULL, NULL) == ERR_OK;
}
