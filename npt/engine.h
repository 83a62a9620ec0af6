/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table engine: written once, compiled once per format. Private to npt/. This file has what all operations are
 * made of: entries, walks, tables, and runs of entries along a range.
 *
 * Every function takes the format as a constant, so that the compiler folds it in and no entry costs an indirect call.
 * Addresses inside the engine are plain integers that the entry points have checked.
 *
 * Order of stores: a new table is filled before one release store makes it reachable; an entry that hardware may be
 * updating (accessed, dirty) is replaced by an atomic read-modify-write, so that no update is lost.
 */
#ifndef NESTLING_NPT_ENGINE_H
#define NESTLING_NPT_ENGINE_H

#include "npt/format.h"

#define ENGINE static inline __attribute__((always_inline))

#define NPT_ENTRIES (1u << NPT_INDEX_BITS) /* in a table below the root */

enum err npt_check_common(const struct npt_config *config, struct npt_attr attr);
void npt_gather_range(struct npt_gather *gather, uint64_t start, uint64_t end);
void npt_gather_table(struct npt_gather *gather, hpa_t table);

/* --- Entries --- */

ENGINE uint64_t pte_load(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

ENGINE void pte_store(uint64_t *slot, uint64_t pte)
{
	__atomic_store_n(slot, pte, __ATOMIC_RELEASE);
}

/* Put `wanted` in the place of `*pte`; false, with the entry's value in `*pte`, when that has changed meanwhile. */
ENGINE bool pte_replace(uint64_t *slot, uint64_t *pte, uint64_t wanted)
{
	return __atomic_compare_exchange_n(slot, pte, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

ENGINE struct npt_attr engine_attr(const struct npt_format *format, uint64_t pte, unsigned level)
{
	return format->attr(format->show(pte), level);
}

ENGINE unsigned engine_marks(const struct npt_format *format, uint64_t pte)
{
	return format->marks(pte) & ~(format->hidden(pte) ? NPT_ACCESSED : 0u);
}

/*
 * The leaf `pte` with other permissions, `shared` and marks. Where software keeps the marks, what can be written is dirty.
 * What is hidden stays so unless it becomes accessed.
 */
ENGINE uint64_t engine_set(const struct npt_format *format, uint64_t pte, struct npt_attr attr, unsigned marks, bool hw_ad)
{
	bool hide = format->hidden(pte) && !(marks & NPT_ACCESSED);

	if (!hw_ad && (attr.prot & NPT_W))
		marks |= NPT_DIRTY;
	pte = format->set(format->show(pte), attr, marks, hw_ad);
	return hide ? format->hide(pte) : pte;
}

/* A new leaf; hidden where software keeps the marks and has not seen it accessed. */
ENGINE uint64_t engine_leaf(const struct npt_format *format, hpa_t hpa, struct npt_attr attr, unsigned marks, unsigned level,
			    bool hw_ad)
{
	uint64_t pte = engine_set(format, format->leaf(hpa, attr.memtype, level), attr, marks, hw_ad);

	return hw_ad || (marks & NPT_ACCESSED) ? pte : format->hide(pte);
}

/* The marks that a leaf starts with, besides what engine_set adds. */
ENGINE unsigned engine_first_marks(const struct npt *npt)
{
	return npt->config.hw_ad ? 0 : NPT_ACCESSED;
}

/* What an entry grows by from one leaf to the next. */
ENGINE uint64_t engine_step(const struct npt_format *format, unsigned level)
{
	return format->leaf(HPA(npt_level_size(level)), NPT_WB, level) - format->leaf(HPA(0), NPT_WB, level);
}

/* The bits of an entry that tell the addresses of leaves apart. */
ENGINE uint64_t engine_varying(const struct npt_format *format, unsigned level)
{
	return format->address & ~(engine_step(format, level) - 1);
}

/* --- Addresses --- */

ENGINE uint64_t *engine_entries(const struct npt *npt, hpa_t table)
{
	return (uint64_t *)(uintptr_t)(table.raw + npt->env->phys_to_virt);
}

/* The index of `gpa` in a table of `level` below the root. */
ENGINE unsigned engine_index(uint64_t gpa, unsigned level)
{
	return (gpa >> (PAGE_SHIFT + NPT_INDEX_BITS * level)) & (NPT_ENTRIES - 1);
}

/* First address that the table of `level` around `gpa` does not map. */
ENGINE uint64_t engine_table_end(const struct npt *npt, uint64_t gpa, unsigned level)
{
	uint64_t span = npt_level_size(level + 1);

	if (level == npt->config.levels - 1u)
		return BIT(npt->config.gpa_bits);
	return align_down(gpa, span) + span;
}

ENGINE enum err engine_check_range(const struct npt *npt, uint64_t gpa, uint64_t size)
{
	uint64_t space = BIT(npt->config.gpa_bits);

	if (size == 0 || !is_aligned(gpa | size, PAGE_SIZE))
		return ERR_INVALID;
	return size <= space && gpa <= space - size ? ERR_OK : ERR_RANGE;
}

/* Can one leaf of `level` at `gpa` map `hpa` so? */
ENGINE enum err engine_check_leaf(const struct npt_format *format, const struct npt *npt, uint64_t gpa, unsigned level,
				  hpa_t hpa, struct npt_attr attr)
{
	if (level > npt->config.max_leaf || !is_aligned(gpa | hpa.raw, npt_level_size(level)))
		return ERR_INVALID;
	if (hpa.raw > BIT(npt->config.hpa_bits) - npt_level_size(level))
		return ERR_RANGE;
	return format->check(&npt->config, attr);
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

/* --- Tables --- */

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
 * Go from the empty entry at `cursor` down to an entry of `level`, by `tables`, which become reachable with `first`, the
 * value of that last entry, in place.
 */
ENGINE void engine_extend(const struct npt_format *format, struct npt *npt, struct npt_cursor *cursor, uint64_t gpa,
			  unsigned level, uint64_t first, const hpa_t *tables)
{
	struct npt_cursor top = *cursor;
	uint64_t pte = first;

	for (unsigned i = 0; level + i < top.level; i++) {
		uint64_t *slot = engine_entries(npt, tables[i]) + engine_index(gpa, level + i);

		if (i == 0)
			*cursor = (struct npt_cursor){ .slot = slot, .table = tables[i], .level = level };
		*slot = pte;
		*npt->env->live(npt->env, tables[i]) = 1;
		pte = format->table(tables[i]);
	}
	pte_store(top.slot, pte);
	++*npt->env->live(npt->env, top.table);
	npt->leaves[level]++;
}

/* Unlink the tables on the way to `gpa` that have become empty. */
ENGINE void engine_prune(const struct npt_format *format, struct npt *npt, uint64_t gpa, struct npt_gather *gather)
{
	for (unsigned level = 0; level < npt->config.levels - 1u; level++) {
		uint64_t span = npt_level_size(level + 1);
		struct npt_cursor parent;
		hpa_t table;

		if (engine_find(format, npt, gpa, level + 1, &parent) != NPT_TABLE)
			continue; /* the way ends higher up */
		table = format->addr(parent.pte, parent.level);
		if (*npt->env->live(npt->env, table) != 0)
			return;
		pte_store(parent.slot, 0);
		--*npt->env->live(npt->env, parent.table);
		npt_gather_range(gather, align_down(gpa, span), align_down(gpa, span) + span);
		npt_gather_table(gather, table);
	}
}

/* --- Runs: the entries of a range that are in one table, up to the first one that leads to another table. --- */

struct engine_run {
	uint64_t *slot, *stop; /* from here to before there */
	uint64_t gpa;          /* what `slot` maps */
	hpa_t table;
	enum err err;          /* ERR_CORRUPT: a malformed entry was met */
	bool ended;            /* by an error, or because somebody has seen enough */
};

typedef void (*engine_runner)(const struct npt_format *format, struct npt *npt, struct engine_run *run, unsigned level,
			      void *arg);

/* The first leaf from `slot` on, and its entry. Where there is none, the run ends, and so does this: at run->stop. */
ENGINE uint64_t *engine_next_leaf(const struct npt_format *format, struct engine_run *run, uint64_t *slot, unsigned level,
				  uint64_t *pte)
{
	for (; slot < run->stop; slot++) {
		*pte = pte_load(slot);
		if (*pte == 0)
			continue;
		enum npt_kind kind = format->kind(*pte, level);

		if (kind == NPT_LEAF)
			return slot;
		if (kind == NPT_TABLE)
			run->stop = slot;
		if (kind == NPT_MALFORMED)
			run->err = ERR_CORRUPT;
	}
	return run->stop;
}

/* What the entry at `slot` maps, first byte. */
ENGINE uint64_t engine_run_gpa(const struct engine_run *run, const uint64_t *slot, unsigned level)
{
	return run->gpa + ((uint64_t)(slot - run->slot) << (PAGE_SHIFT + NPT_INDEX_BITS * level));
}

/* Go over [gpa, end): one walk from the root per table, then straight along its entries. */
ENGINE enum err engine_run_all(const struct npt_format *format, struct npt *npt, uint64_t gpa, uint64_t end,
			       engine_runner runner, void *arg)
{
	struct engine_run run = { .err = ERR_OK };

	while (gpa < end && !run.ended) {
		struct npt_cursor cursor;
		uint64_t size, stop;

		engine_find(format, npt, gpa, 0, &cursor);
		size = npt_level_size(cursor.level);
		stop = min_u64(end, engine_table_end(npt, gpa, cursor.level));
		run.slot = cursor.slot;
		run.gpa = align_down(gpa, size);
		run.stop = run.slot + ((stop - run.gpa + size - 1) >> (PAGE_SHIFT + NPT_INDEX_BITS * cursor.level));
		run.table = cursor.table;
		if (cursor.level == 0) /* the common case gets loops of its own, with the level folded in */
			runner(format, npt, &run, 0, arg);
		else
			runner(format, npt, &run, cursor.level, arg);
		gpa = engine_run_gpa(&run, run.stop, cursor.level);
	}
	return run.err;
}

/* --- The whole --- */

ENGINE enum err engine_new(const struct npt_format *format, struct npt *npt)
{
	const struct npt_config *config = &npt->config;
	unsigned base = PAGE_SHIFT + NPT_INDEX_BITS * config->levels;
	unsigned order = format->min_root_order;
	enum err err;

	if (config->levels < format->min_levels || config->levels > format->max_levels ||
	    config->gpa_bits > format->max_gpa_bits || config->hpa_bits > format->max_hpa_bits ||
	    config->gpa_bits <= PAGE_SHIFT || config->max_leaf >= NPT_LEAF_LEVELS)
		return ERR_INVALID;
	if (config->gpa_bits > base + order)
		order = config->gpa_bits - base;
	if (order > format->max_root_order)
		return ERR_INVALID;
	/* Where the width of the address picks the first level, it must be picked so that the root is in use. */
	if (format->max_root_order > format->min_root_order && config->gpa_bits <= base - NPT_INDEX_BITS)
		return ERR_INVALID;
	err = npt->env->alloc_table(npt->env, order, &npt->root);
	if (err == ERR_OK) {
		npt->root_order = (uint8_t)order;
		npt->table_bytes = PAGE_SIZE << order;
	}
	return err;
}

/* Free the tables below `table`, and itself unless it is the root. Recursion is as deep as there are levels. */
static inline void engine_free_below(const struct npt_format *format, struct npt *npt, hpa_t table, unsigned level,
				     unsigned entries)
{
	for (unsigned i = 0; level > 0 && i < entries; i++) {
		uint64_t pte = pte_load(engine_entries(npt, table) + i);

		if (format->kind(pte, level) == NPT_TABLE)
			engine_free_below(format, npt, format->addr(pte, level), level - 1, NPT_ENTRIES);
	}
	if (level < npt->config.levels - 1u)
		engine_free_table(npt, table);
}

ENGINE void engine_free(const struct npt_format *format, struct npt *npt)
{
	engine_free_below(format, npt, npt->root, npt->config.levels - 1u, NPT_ENTRIES << npt->root_order);
	npt->env->free_table(npt->env, npt->root, npt->root_order);
	npt->table_bytes = 0;
}

#endif
