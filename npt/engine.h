/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table engine. Private to npt/. This file has the building blocks of all operations: entries, walks, tables, and runs of
 * entries along a range.
 *
 * There is no indirect call per entry: the format is called once for all entries that differ only by their address, since a change
 * flips the same bits in each of them. Addresses inside the engine are plain integers that the entry points have checked.
 *
 * Order of stores: a new table is filled before one release store makes it reachable; an entry that hardware may be
 * updating (accessed, dirty) is replaced by an atomic read-modify-write, so that no update is lost.
 */
#ifndef NESTLING_NPT_ENGINE_H
#define NESTLING_NPT_ENGINE_H

#include "npt/format.h"
#include "npt/share.h"
#include "npt/walk_cache.h"

#define NPT_ENTRIES (1u << NPT_INDEX_BITS) /* in a table below the root */

/* --- Entries --- */

static inline uint64_t pte_load(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static inline void pte_store(uint64_t *slot, uint64_t pte)
{
	__atomic_store_n(slot, pte, __ATOMIC_RELEASE);
}

/* Atomically replace `*pte` by `wanted`. False: the entry had changed, and its value is in `*pte` now. */
static inline bool pte_replace(uint64_t *slot, uint64_t *pte, uint64_t wanted)
{
	return __atomic_compare_exchange_n(slot, pte, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static inline struct npt_attr engine_attr(const struct npt_format *format, uint64_t pte, unsigned level)
{
	return format->attr(format->untrack_access(pte), level);
}

static inline unsigned engine_ad_bits(const struct npt_format *format, uint64_t pte)
{
	return format->ad_bits(pte) & ~(format->access_tracked(pte) ? NPT_ACCESSED : 0u);
}

/*
 * The leaf `pte` with other permissions, `shared` and accessed and dirty bits. Where software keeps the accessed and dirty bits,
 * what can be written is dirty. What is access-tracked stays so unless it becomes accessed.
 */
static inline uint64_t engine_set(const struct npt_format *format, uint64_t pte, struct npt_attr attr, unsigned ad_bits,
				  bool hardware_ad)
{
	bool track_access = format->access_tracked(pte) && !(ad_bits & NPT_ACCESSED);

	if (!hardware_ad && (attr.prot & NPT_W))
		ad_bits |= NPT_DIRTY;
	pte = format->set(format->untrack_access(pte), attr, ad_bits, hardware_ad);
	return track_access ? format->track_access(pte) : pte;
}

/* A leaf with these accessed and dirty bits; access-tracked where software keeps them and has not seen it accessed. */
static inline uint64_t engine_leaf_with_ad(const struct npt_format *format, hpa_t hpa, struct npt_attr attr, unsigned ad_bits,
					   unsigned level, bool hardware_ad)
{
	uint64_t pte = engine_set(format, format->leaf(hpa, attr.memtype, level), attr, ad_bits, hardware_ad);

	return hardware_ad || (ad_bits & NPT_ACCESSED) ? pte : format->track_access(pte);
}

/* A leaf as it starts: without accessed and dirty bits where hardware keeps them, and otherwise in use. */
static inline uint64_t engine_leaf(const struct npt_format *format, hpa_t hpa, struct npt_attr attr, unsigned level,
				   bool hardware_ad)
{
	unsigned ad_bits = hardware_ad ? 0 : NPT_ACCESSED | (attr.prot & NPT_W ? NPT_DIRTY : 0);

	return format->set(format->leaf(hpa, attr.memtype, level), attr, ad_bits, hardware_ad);
}

/* The difference between the entries of neighbouring leaves. */
static inline uint64_t engine_step(const struct npt_format *format, unsigned level)
{
	return npt_level_size(level) >> format->page.shift;
}

/* The address bits of a leaf of `level`; the address bits below them may mean other things. */
static inline uint64_t engine_varying(const struct npt_format *format, unsigned level)
{
	return format->page.address & ~(engine_step(format, level) - 1);
}

static inline hpa_t engine_leaf_addr(const struct npt_format *format, uint64_t pte, unsigned level)
{
	return HPA((pte & engine_varying(format, level)) << format->page.shift);
}

static inline hpa_t engine_table_addr(const struct npt_format *format, uint64_t pte)
{
	return HPA((pte & format->page.address) << format->page.shift);
}

/* A change of leaves: those that equal `value` except for their address change by flipping the bits of `delta`. */
struct engine_change {
	uint64_t value, delta; /* `value` 0: none was met yet */
};

typedef uint64_t (*engine_changer)(const struct npt_format *format, uint64_t pte, unsigned level, unsigned arg, bool hardware_ad);

/* Change the leaf `pte` at `slot` without losing a bit that hardware sets meanwhile; returns the new entry. */
static inline uint64_t engine_change(const struct npt_format *format, uint64_t *slot, uint64_t pte, unsigned level,
				     struct engine_change *change, engine_changer changer, unsigned arg, bool hardware_ad)
{
	do {
		if ((pte ^ change->value) & ~engine_varying(format, level)) {
			change->value = pte;
			change->delta = changer(format, pte, level, arg, hardware_ad) ^ pte;
		}
	} while (change->delta != 0 && !pte_replace(slot, &pte, pte ^ change->delta));
	return pte ^ change->delta;
}

/* --- Addresses --- */

static inline uint64_t *engine_entries(const struct npt *npt, hpa_t table)
{
	return (uint64_t *)(uintptr_t)(table.raw + npt->env->phys_to_virt);
}

/* The index of `gpa` in a table of `level` below the root. */
static inline unsigned engine_index(uint64_t gpa, unsigned level)
{
	return (gpa >> (PAGE_SHIFT + NPT_INDEX_BITS * level)) & (NPT_ENTRIES - 1);
}

/* The entry for `gpa` in `table` of `level`, below the root. */
static inline uint64_t *engine_slot(hpa_t table, uint64_t virt, uint64_t gpa, unsigned level)
{
	return (uint64_t *)(uintptr_t)(table.raw + virt) + engine_index(gpa, level);
}

/* First address that the table of `level` around `gpa` does not map. */
static inline uint64_t engine_table_end(const struct npt *npt, uint64_t gpa, unsigned level)
{
	uint64_t span = npt_level_size(level + 1);

	return level == npt->config.levels - 1u ? npt->end : align_down(gpa, span) + span;
}

static inline enum err engine_check_range(const struct npt *npt, uint64_t gpa, uint64_t size)
{
	if (size == 0 || !is_aligned(gpa | size, PAGE_SIZE))
		return ERR_INVALID;
	return size <= npt->end && gpa <= npt->end - size ? ERR_OK : ERR_RANGE;
}

/* Can one leaf of `level` at `gpa` map `hpa` so? */
static inline enum err engine_check_leaf(const struct npt_format *format, const struct npt *npt, uint64_t gpa, unsigned level,
					 hpa_t hpa, struct npt_attr attr)
{
	if (level > npt->config.max_leaf || !is_aligned(gpa | hpa.raw, npt_level_size(level)))
		return ERR_INVALID;
	if (hpa.raw > BIT(npt->config.hpa_bits) - npt_level_size(level))
		return ERR_RANGE;
	return format->check(&npt->config, attr);
}

/* --- Walks --- */

/* Walk down to the first entry that is not a table, at `floor` at the latest: npt/walk.h, for this format. */
static inline enum npt_kind engine_find(const struct npt *npt, uint64_t gpa, unsigned floor, struct npt_cursor *cursor)
{
	return npt->ops->find(npt, npt->cache, GPA(gpa), floor, cursor);
}

/* --- Tables: npt/tables.c --- */

/* Get `count` tables, or none. */
enum err engine_alloc_tables(struct npt *npt, hpa_t *tables, unsigned count);
void engine_free_table(struct npt *npt, hpa_t table);
/*
 * Go from the empty entry at `cursor` down to an entry of `level`, by `tables` (as many as there are levels between), which
 * become reachable with `first`, the value of that last entry, in place. Counts that leaf.
 */
void engine_extend(struct npt *npt, struct npt_cursor *cursor, uint64_t gpa, unsigned level, uint64_t first, const hpa_t *tables);
/* The same; allocates the tables itself. Errors: ERR_NO_MEMORY. */
enum err engine_map_below(struct npt *npt, struct npt_cursor cursor, uint64_t gpa, unsigned level, uint64_t first);

/* --- Gathering: npt/gather.c --- */

/* The table, which nothing leads to any more, is to be freed after the flush. */
void engine_gather_table(struct npt_gather *gather, hpa_t table);
/* Unlink the tables on the way to `gpa` that have become empty; they are freed after the flush. */
void engine_prune(struct npt *npt, uint64_t gpa, struct npt_gather *gather);

/* --- Shared tables: npt/share.c --- */

/* The entry of level 1 at `slot` points to a shared table: clear it, and leave the table after the flush. Counts its leaves. */
void engine_leave_table(struct npt *npt, uint64_t gpa, uint64_t *slot, struct npt_gather *gather);
/* The same when no CPU can reach it any more. */
void engine_forget_table(struct npt *npt, uint64_t *slot);

/* --- Runs: the entries of a range that are in one table, up to the first one that leads to another table. --- */

struct engine_run {
	struct npt *npt;
	const struct npt_format *format;
	uint64_t *slot, *stop; /* from here to before there */
	uint64_t gpa;          /* what `slot` maps */
	hpa_t table;
	unsigned level;
	bool shared; /* as npt_cursor.shared */
	uint64_t value,
		mask; /* the last leaf, and the bits that similar leaves have in common; before the first leaf 0 and all bits */
	enum err err; /* ERR_CORRUPT: a malformed entry was met */
	bool ended;   /* by an error, or because a visitor asked to stop */
};

typedef void (*engine_runner)(struct engine_run *run, void *arg);

/* The first leaf from `slot` on, and its entry. Where there is none, the run ends, and so does this: at run->stop. */
static inline uint64_t *engine_next_leaf(struct engine_run *run, uint64_t *slot, uint64_t *pte)
{
	for (; slot < run->stop; slot++) {
		*pte = pte_load(slot);
		if (*pte == 0)
			continue;
		if (((*pte ^ run->value) & run->mask) == 0)
			return slot;
		switch (run->format->kind(*pte, run->level)) {
		case NPT_LEAF:
			run->value = *pte;
			run->mask = ~(engine_varying(run->format, run->level) | run->format->hardware_ad_bits);
			return slot;
		case NPT_TABLE:
		case NPT_SHARED:
			run->stop = slot;
			break;
		case NPT_MALFORMED:
			run->err = ERR_CORRUPT;
			break;
		case NPT_EMPTY:
			break;
		}
	}
	return run->stop;
}

/* What the entry at `slot` maps, first byte. */
static inline uint64_t engine_run_gpa(const struct engine_run *run, const uint64_t *slot)
{
	return run->gpa + ((uint64_t)(slot - run->slot) << (PAGE_SHIFT + NPT_INDEX_BITS * run->level));
}

/* Go over [gpa, end): one walk from the root per table, then straight along its entries. */
enum err engine_run_all(struct npt *npt, uint64_t gpa, uint64_t end, engine_runner runner, void *arg);

#endif
