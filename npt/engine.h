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

/* A leaf with these marks; hidden where software keeps them and has not seen it accessed. */
ENGINE uint64_t engine_marked_leaf(const struct npt_format *format, hpa_t hpa, struct npt_attr attr, unsigned marks,
				   unsigned level, bool hw_ad)
{
	uint64_t pte = engine_set(format, format->leaf(hpa, attr.memtype, level), attr, marks, hw_ad);

	return hw_ad || (marks & NPT_ACCESSED) ? pte : format->hide(pte);
}

/* A leaf as it starts: without marks where hardware keeps them, and otherwise in use. */
ENGINE uint64_t engine_leaf(const struct npt_format *format, hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad)
{
	unsigned marks = hw_ad ? 0 : NPT_ACCESSED | (attr.prot & NPT_W ? NPT_DIRTY : 0);

	return format->set(format->leaf(hpa, attr.memtype, level), attr, marks, hw_ad);
}

/* What an entry grows by from one leaf to the next. */
ENGINE uint64_t engine_step(const struct npt_format *format, unsigned level)
{
	return npt_level_size(level) >> format->address_shift;
}

/* The bits of an entry that tell the addresses of leaves apart; the address bits below may mean other things. */
ENGINE uint64_t engine_varying(const struct npt_format *format, unsigned level)
{
	return format->address & ~(engine_step(format, level) - 1);
}

ENGINE hpa_t engine_leaf_addr(const struct npt_format *format, uint64_t pte, unsigned level)
{
	return HPA((pte & engine_varying(format, level)) << format->address_shift);
}

ENGINE hpa_t engine_table_addr(const struct npt_format *format, uint64_t pte)
{
	return HPA((pte & format->address) << format->address_shift);
}

/* How one leaf changes; from it, how all do that differ from it by their address only: by turning over the same bits. */
struct engine_change {
	uint64_t like, delta; /* `like` 0: none was met yet */
};

typedef uint64_t (*engine_changer)(const struct npt_format *format, uint64_t pte, unsigned level, unsigned arg, bool hw_ad);

/* Change the leaf `pte` at `slot`, and lose nothing that hardware adds meanwhile; returns what it became. */
ENGINE uint64_t engine_change(const struct npt_format *format, uint64_t *slot, uint64_t pte, unsigned level,
			      struct engine_change *change, engine_changer changer, unsigned arg, bool hw_ad)
{
	do {
		if ((pte ^ change->like) & ~engine_varying(format, level)) {
			change->like = pte;
			change->delta = changer(format, pte, level, arg, hw_ad) ^ pte;
		}
	} while (change->delta != 0 && !pte_replace(slot, &pte, pte ^ change->delta));
	return pte ^ change->delta;
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

	return level == npt->config.levels - 1u ? npt->end : align_down(gpa, span) + span;
}

ENGINE enum err engine_check_range(const struct npt *npt, uint64_t gpa, uint64_t size)
{
	if (size == 0 || !is_aligned(gpa | size, PAGE_SIZE))
		return ERR_INVALID;
	return size <= npt->end && gpa <= npt->end - size ? ERR_OK : ERR_RANGE;
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

/*
 * A walk is a loop over the levels, unrolled, so that the level is a constant in each of its steps. It begins at the
 * highest level that any format has; steps above the root are passed over.
 */
#define ENGINE_TOP (NPT_MAX_LEVELS - 1)
#define ENGINE_FOR_EACH_LEVEL(level) \
	_Pragma("GCC unroll 5") for (unsigned level = ENGINE_TOP; level <= ENGINE_TOP; level--)

ENGINE bool engine_above_root(const struct npt_format *format, unsigned levels, unsigned level)
{
	return level >= format->max_levels || (level >= format->min_levels && level >= levels);
}

/* The entry for `gpa` in `table` of `level`, below the root. */
ENGINE uint64_t *engine_slot(hpa_t table, uint64_t virt, uint64_t gpa, unsigned level)
{
	return (uint64_t *)(uintptr_t)(table.raw + virt) + engine_index(gpa, level);
}

ENGINE uint64_t *engine_root_slot(const struct npt *npt, uint64_t gpa)
{
	return engine_entries(npt, npt->root) + (gpa >> npt->root_shift);
}

/* Walk down to the first entry that is not a table, at `floor` at the latest. */
ENGINE enum npt_kind engine_walk_to(const struct npt_format *format, const struct npt *npt, uint64_t gpa, unsigned floor,
				    struct npt_cursor *cursor)
{
	const uint64_t virt = npt->env->phys_to_virt;
	const unsigned levels = npt->config.levels;
	uint64_t *slot = engine_root_slot(npt, gpa);
	hpa_t table = npt->root;

	ENGINE_FOR_EACH_LEVEL(level) {
		if (engine_above_root(format, levels, level))
			continue;
		uint64_t pte = pte_load(slot);
		enum npt_kind kind = format->kind(pte, level);

		if (level == 0 || kind != NPT_TABLE || level == floor) {
			*cursor = (struct npt_cursor){ .slot = slot, .table = table, .pte = pte, .level = level };
			return kind;
		}
		table = engine_table_addr(format, pte);
		slot = engine_slot(table, virt, gpa, level - 1);
	}
	__builtin_unreachable(); /* there are no tables below level 0 */
}

/* The same by a call, for where it is not worth a copy of the walk. */
ENGINE enum npt_kind engine_find(const struct npt *npt, uint64_t gpa, unsigned floor, struct npt_cursor *cursor)
{
	return npt->ops->find_above(npt, gpa, floor, cursor);
}

ENGINE enum err engine_translate(const struct npt_format *format, const struct npt *npt, uint64_t gpa, hpa_t *hpa)
{
	const uint64_t virt = npt->env->phys_to_virt;
	const unsigned levels = npt->config.levels;
	const uint64_t *slot = engine_root_slot(npt, gpa);

	if (gpa >= npt->end)
		return ERR_RANGE;
	ENGINE_FOR_EACH_LEVEL(level) {
		if (engine_above_root(format, levels, level))
			continue;
		uint64_t pte = pte_load(slot);
		enum npt_kind kind = format->kind(pte, level);

		if (level > 0 && kind == NPT_TABLE) {
			slot = engine_slot(engine_table_addr(format, pte), virt, gpa, level - 1);
			continue;
		}
		if (kind != NPT_LEAF)
			return kind == NPT_EMPTY ? ERR_NOT_FOUND : ERR_CORRUPT;
		*hpa = HPA(engine_leaf_addr(format, pte, level).raw | (gpa & (npt_level_size(level) - 1)));
		return ERR_OK;
	}
	__builtin_unreachable(); /* there are no tables below level 0 */
}

/* --- Tables: once for all formats, in npt/tables.c; an indirect call per table is no matter. --- */

/* Get `count` tables, or none. */
enum err engine_alloc_tables(struct npt *npt, hpa_t *tables, unsigned count);
void engine_free_table(struct npt *npt, hpa_t table);
/*
 * Go from the empty entry at `cursor` down to an entry of `level`, by `tables` (as many as there are levels between), which
 * become reachable with `first`, the value of that last entry, in place. Counts that leaf.
 */
void engine_extend(struct npt *npt, struct npt_cursor *cursor, uint64_t gpa, unsigned level, uint64_t first,
		   const hpa_t *tables);
/* The same, with tables that it gets itself. */
enum err engine_map_below(struct npt *npt, struct npt_cursor cursor, uint64_t gpa, unsigned level, uint64_t first);
/* Unlink the tables on the way to `gpa` that have become empty. */
void engine_prune(struct npt *npt, uint64_t gpa, struct npt_gather *gather);

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

/*
 * Go over [gpa, end): one walk from the root per table, then straight along its entries. With `fold` the common case, pages,
 * gets a copy of the runner of its own, with the level folded in.
 */
ENGINE enum err engine_run_all(const struct npt_format *format, struct npt *npt, uint64_t gpa, uint64_t end,
			       engine_runner runner, bool fold, void *arg)
{
	struct engine_run run = { .err = ERR_OK };

	while (gpa < end && !run.ended) {
		struct npt_cursor cursor;
		uint64_t size, stop;

		engine_find(npt, gpa, 0, &cursor);
		size = npt_level_size(cursor.level);
		stop = min_u64(end, engine_table_end(npt, gpa, cursor.level));
		run.slot = cursor.slot;
		run.gpa = align_down(gpa, size);
		run.stop = run.slot + ((stop - run.gpa + size - 1) >> (PAGE_SHIFT + NPT_INDEX_BITS * cursor.level));
		run.table = cursor.table;
		if (fold && cursor.level == 0)
			runner(format, npt, &run, 0, arg);
		else
			runner(format, npt, &run, cursor.level, arg);
		gpa = engine_run_gpa(&run, run.stop, cursor.level);
	}
	return run.err;
}

#endif
