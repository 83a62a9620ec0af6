/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table engine: written once, compiled once per format. Private to npt/.
 *
 * Every function takes the format as a constant, so that the compiler folds it in and no entry costs an indirect call.
 * Addresses inside the engine are plain integers that the entry points have checked.
 *
 * Order of stores: a new table is filled before one release store makes it reachable; an entry that hardware may be
 * updating (accessed, dirty) is replaced by exchange or compare-and-swap, so that no update is lost.
 */
#ifndef NESTLING_NPT_ENGINE_H
#define NESTLING_NPT_ENGINE_H

#include "npt/format.h"

#define ENGINE static inline __attribute__((always_inline))

/* Tables that cutting one range out of large leaves can need: two levels at each end. */
#define ENGINE_MAX_CUT (2 * (NPT_LEAF_LEVELS - 1))

enum err npt_check_common(const struct npt_config *config, struct npt_attr attr);
void npt_gather_range(struct npt_gather *gather, uint64_t start, uint64_t end);
void npt_gather_table(struct npt_gather *gather, hpa_t table);

ENGINE uint64_t pte_load(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

ENGINE void pte_store(uint64_t *slot, uint64_t pte)
{
	__atomic_store_n(slot, pte, __ATOMIC_RELEASE);
}

ENGINE uint64_t *engine_entries(const struct npt *npt, hpa_t table)
{
	return (uint64_t *)(uintptr_t)(table.raw + npt->env->phys_to_virt);
}

/* The index of `gpa` in a table of `level` below the root. */
ENGINE unsigned engine_index(uint64_t gpa, unsigned level)
{
	return (gpa >> (PAGE_SHIFT + NPT_INDEX_BITS * level)) & ((1u << NPT_INDEX_BITS) - 1);
}

/* First address that the table of `level` around `gpa` does not map. */
ENGINE uint64_t engine_table_end(const struct npt *npt, uint64_t gpa, unsigned level)
{
	uint64_t span = npt_level_size(level + 1);

	if (level == npt->config.levels - 1u)
		return BIT(npt->config.gpa_bits);
	return align_down(gpa, span) + span;
}

/* What an entry grows by from one leaf to the next. */
ENGINE uint64_t engine_step(const struct npt_format *format, unsigned level)
{
	const struct npt_attr any = { .prot = NPT_R, .memtype = NPT_WB };

	return format->leaf(HPA(npt_level_size(level)), any, level, true) - format->leaf(HPA(0), any, level, true);
}

ENGINE enum err engine_check_range(const struct npt *npt, uint64_t gpa, uint64_t size)
{
	uint64_t space = BIT(npt->config.gpa_bits);

	if (size == 0 || !is_aligned(gpa | size, PAGE_SIZE))
		return ERR_INVALID;
	return size <= space && gpa <= space - size ? ERR_OK : ERR_RANGE;
}

/* Walk down to the first entry that is not a table, at `floor` at the latest. */
ENGINE enum npt_kind engine_find(const struct npt_format *format, const struct npt *npt, uint64_t gpa, unsigned floor,
				 struct npt_cursor *cursor)
{
	unsigned level = npt->config.levels - 1u;
	hpa_t table = npt->root;
	uint64_t *slot = engine_entries(npt, table) + (gpa >> (PAGE_SHIFT + NPT_INDEX_BITS * level));

	for (;;) {
		uint64_t pte = pte_load(slot);
		enum npt_kind kind = format->kind(pte, level);

		if (kind != NPT_TABLE || level == floor) {
			*cursor = (struct npt_cursor){ .slot = slot, .table = table, .pte = pte, .level = level };
			return kind;
		}
		table = format->addr(pte, level);
		level--;
		slot = engine_entries(npt, table) + engine_index(gpa, level);
	}
}

ENGINE void engine_free_table(struct npt *npt, hpa_t table)
{
	npt->table_bytes -= PAGE_SIZE;
	npt->env->free_table(npt->env, table, 0);
}

ENGINE void engine_free_tables(struct npt *npt, const hpa_t *tables, unsigned count)
{
	while (count > 0)
		engine_free_table(npt, tables[--count]);
}

/* Get `count` tables, or none. */
ENGINE enum err engine_alloc_tables(struct npt *npt, hpa_t *tables, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		enum err err = npt->env->alloc_table(npt->env, 0, &tables[i]);

		if (err != ERR_OK) {
			engine_free_tables(npt, tables, i);
			return err;
		}
		npt->table_bytes += PAGE_SIZE;
	}
	return ERR_OK;
}

/*
 * Go from the empty entry at `cursor` down to an entry of `level`, by tables made on the way, which become reachable
 * with `first`, the value of that last entry, in place.
 */
ENGINE enum err engine_extend(const struct npt_format *format, struct npt *npt, struct npt_cursor *cursor, uint64_t gpa,
			      unsigned level, uint64_t first)
{
	unsigned count = cursor->level - level;
	struct npt_cursor top = *cursor;
	hpa_t tables[NPT_MAX_LEVELS];
	uint64_t pte = first;
	enum err err = engine_alloc_tables(npt, tables, count);

	if (err != ERR_OK)
		return err;
	for (unsigned i = 0; i < count; i++) {
		uint64_t *slot = engine_entries(npt, tables[i]) + engine_index(gpa, level + i);

		if (i == 0)
			*cursor = (struct npt_cursor){ .slot = slot, .table = tables[i], .level = level };
		*slot = pte;
		*npt->env->live(npt->env, tables[i]) = 1;
		pte = format->table(tables[i]);
	}
	pte_store(top.slot, pte);
	++*npt->env->live(npt->env, top.table);
	return ERR_OK;
}

/* Unlink the tables on the way to `gpa` that have become empty. */
ENGINE void engine_prune(const struct npt_format *format, struct npt *npt, uint64_t gpa, struct npt_gather *gather)
{
	for (unsigned level = 0; level < npt->config.levels - 1u; level++) {
		struct npt_cursor parent;
		hpa_t table;

		if (engine_find(format, npt, gpa, level + 1, &parent) != NPT_TABLE)
			continue; /* the way ends higher up */
		table = format->addr(parent.pte, parent.level);
		if (*npt->env->live(npt->env, table) != 0)
			return;
		pte_store(parent.slot, 0);
		--*npt->env->live(npt->env, parent.table);
		npt_gather_range(gather, align_down(gpa, npt_level_size(level + 1)),
				 align_down(gpa, npt_level_size(level + 1)) + npt_level_size(level + 1));
		npt_gather_table(gather, table);
	}
}

/* Replace the large leaf at `cursor` by `table` full of smaller ones. */
ENGINE void engine_split_leaf(const struct npt_format *format, struct npt *npt, struct npt_cursor *cursor, uint64_t gpa,
			      hpa_t table)
{
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
		uint64_t child = format->shrink(pte, level);

		for (unsigned i = 0; i < 1u << NPT_INDEX_BITS; i++, child += step)
			entries[i] = child;
		if (format->break_before_make) {
			pte_store(cursor->slot, format->table(table));
			break;
		}
	} while (!__atomic_compare_exchange_n(cursor->slot, &pte, format->table(table), false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	*npt->env->live(npt->env, table) = 1u << NPT_INDEX_BITS;
	npt->leaves[level]--;
	npt->leaves[level - 1] += 1u << NPT_INDEX_BITS;
}

/* How many tables it takes to make `edge` a border between leaves. */
ENGINE unsigned engine_cut_cost(const struct npt_format *format, const struct npt *npt, uint64_t edge)
{
	struct npt_cursor cursor;
	unsigned cost = 0;

	if (edge == BIT(npt->config.gpa_bits) || engine_find(format, npt, edge, 0, &cursor) != NPT_LEAF)
		return 0;
	while (cost < cursor.level && !is_aligned(edge, npt_level_size(cursor.level - cost)))
		cost++;
	return cost;
}

/* Make `gpa` and `end` borders between leaves, or change nothing. */
ENGINE enum err engine_cut(const struct npt_format *format, struct npt *npt, uint64_t gpa, uint64_t end)
{
	const uint64_t edges[] = { gpa, end };
	unsigned count = engine_cut_cost(format, npt, gpa) + engine_cut_cost(format, npt, end);
	hpa_t tables[ENGINE_MAX_CUT];
	enum err err;

	if (count == 0)
		return ERR_OK;
	err = engine_alloc_tables(npt, tables, count);
	if (err != ERR_OK)
		return err;
	for (unsigned i = 0; i < ARRAY_LEN(edges); i++) {
		while (engine_cut_cost(format, npt, edges[i]) > 0) {
			struct npt_cursor cursor;

			engine_find(format, npt, edges[i], 0, &cursor);
			engine_split_leaf(format, npt, &cursor, edges[i], tables[--count]);
		}
	}
	engine_free_tables(npt, tables, count); /* both edges were in one leaf */
	return ERR_OK;
}

#endif
