/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk from the root to an entry, and the reading of a leaf, compiled once per format; all else in npt/ is compiled once for
 * all of them. Private to npt/.
 *
 * The format is a constant here, so that the compiler folds it in and no level costs an indirect call; and the loop over
 * the levels is unrolled, so that the level is a constant, too. It begins at the highest level that any format has; levels above
 * the root are skipped.
 */
#ifndef NESTLING_NPT_WALK_H
#define NESTLING_NPT_WALK_H

#include "npt/engine.h"

#define WALK static inline __attribute__((always_inline))

#define WALK_TOP                   (NPT_MAX_LEVELS - 1)
#define WALK_FOR_EACH_LEVEL(level) _Pragma("GCC unroll 5") for (unsigned level = WALK_TOP; level <= WALK_TOP; level--)

WALK bool walk_above_root(const struct npt_format *format, unsigned levels, unsigned level)
{
	return level >= format->max_levels || (level >= format->min_levels && level >= levels);
}

/* Go on to the page in a shared table, which is not inserted into a walk cache: what is found there is filled in and changed. */
WALK enum npt_kind walk_shared(const struct npt_format *format, const struct npt *npt, uint64_t table_pte, uint64_t gpa,
			       struct npt_cursor *cursor)
{
	hpa_t table = engine_table_addr(format, table_pte);
	uint64_t *slot = engine_slot(table, npt->env->phys_to_virt, gpa, 0);
	uint64_t pte = pte_load(slot);

	*cursor = (struct npt_cursor){ .slot = slot, .table = table, .pte = pte, .level = 0, .shared = true };
	return format->kind(pte, 0);
}

/* Walk down to the first entry that is not a table, at `floor` at the latest. */
WALK enum npt_kind walk_down(const struct npt_format *format, const struct npt *npt, struct npt_walk_cache *cache, uint64_t gpa,
			     unsigned floor, struct npt_cursor *cursor)
{
	const uint64_t virt = npt->env->phys_to_virt;
	const unsigned levels = npt->config.levels;
	uint64_t *slot = (uint64_t *)(uintptr_t)(npt->root.raw + virt) + (gpa >> npt->root_shift);
	hpa_t table = npt->root;

	WALK_FOR_EACH_LEVEL(level)
	{
		if (walk_above_root(format, levels, level))
			continue;
		uint64_t pte = pte_load(slot);
		enum npt_kind kind = format->kind(pte, level);

		if (level == 0)
			npt_walk_cache_insert(npt, cache, gpa, table);
		if (level == 0 || kind != NPT_TABLE || level == floor) {
			if (level == 1 && floor == 0 && kind == NPT_SHARED)
				return walk_shared(format, npt, pte, gpa, cursor);
			*cursor = (struct npt_cursor){ .slot = slot, .table = table, .pte = pte, .level = level };
			return kind;
		}
		table = engine_table_addr(format, pte);
		slot = engine_slot(table, virt, gpa, level - 1);
	}
	__builtin_unreachable(); /* there are no tables below level 0 */
}

/* The same where the walk cache spares the walk; false: it does not. */
WALK bool walk_spared(const struct npt *npt, const struct npt_walk_cache *cache, uint64_t gpa, unsigned floor,
		      struct npt_cursor *cursor)
{
	uint64_t *slot = floor == 0 ? npt_walk_cache_lookup(cache, GPA(gpa)) : NULL;

	if (!slot)
		return false;
	*cursor = (struct npt_cursor){
		.slot = slot,
		.table = HPA(align_down((uintptr_t)slot - npt->env->phys_to_virt, PAGE_SIZE)),
		.pte = pte_load(slot),
		.level = 0,
	};
	return true;
}

WALK enum err walk_translate_shared(const struct npt_format *format, const struct npt *npt, uint64_t table_pte, uint64_t gpa,
				    hpa_t *hpa)
{
	struct npt_cursor cursor;
	enum npt_kind kind = walk_shared(format, npt, table_pte, gpa, &cursor);

	if (kind != NPT_LEAF)
		return kind == NPT_EMPTY ? ERR_NOT_FOUND : ERR_CORRUPT;
	*hpa = HPA(engine_leaf_addr(format, cursor.pte, 0).raw | (gpa & (PAGE_SIZE - 1)));
	return ERR_OK;
}

/* The host address of `gpa`, from the root down. */
WALK enum err walk_translate(const struct npt_format *format, const struct npt *npt, struct npt_walk_cache *cache, uint64_t gpa,
			     hpa_t *hpa)
{
	const uint64_t virt = npt->env->phys_to_virt;
	const unsigned levels = npt->config.levels;
	uint64_t *slot = (uint64_t *)(uintptr_t)(npt->root.raw + virt) + (gpa >> npt->root_shift);
	hpa_t table = npt->root;

	if (gpa >= npt->end)
		return ERR_RANGE;
	WALK_FOR_EACH_LEVEL(level)
	{
		if (walk_above_root(format, levels, level))
			continue;
		uint64_t pte = pte_load(slot);
		enum npt_kind kind = format->kind(pte, level);

		if (kind == NPT_LEAF && level < NPT_LEAF_LEVELS) {
			*hpa = HPA(engine_leaf_addr(format, pte, level).raw | (gpa & (npt_level_size(level) - 1)));
			if (level == 0)
				npt_walk_cache_insert(npt, cache, gpa, table);
			else
				npt_walk_cache_insert_leaf(cache, gpa, slot, pte, *hpa);
			return ERR_OK;
		}
		if (level == 1 && kind == NPT_SHARED)
			return walk_translate_shared(format, npt, pte, gpa, hpa);
		if (level == 0 || kind != NPT_TABLE)
			return kind == NPT_EMPTY ? ERR_NOT_FOUND : ERR_CORRUPT;
		table = engine_table_addr(format, pte);
		slot = engine_slot(table, virt, gpa, level - 1);
	}
	__builtin_unreachable(); /* there are no tables below level 0 */
}

WALK void walk_decode(const struct npt_format *format, uint64_t pte, uint64_t gpa, unsigned level, struct npt_leaf *leaf)
{
	unsigned ad_bits = engine_ad_bits(format, pte);

	*leaf = (struct npt_leaf){
		.gpa = GPA(align_down(gpa, npt_level_size(level))),
		.hpa = engine_leaf_addr(format, pte, level),
		.level = level,
		.attr = engine_attr(format, pte, level),
		.accessed = ad_bits & NPT_ACCESSED,
		.dirty = ad_bits & NPT_DIRTY,
		.access_tracked = format->access_tracked(pte),
	};
}

/* Define `ops_name` (declared in npt/npt.h) from `this_format`, a static const struct npt_format of this file. */
#define NPT_INSTANTIATE(ops_name, this_format, ...)                                                                          \
	static __attribute__((noinline)) enum npt_kind ops_name##_walk(const struct npt *npt, struct npt_walk_cache *cache,  \
								       gpa_t gpa, unsigned floor, struct npt_cursor *cursor) \
	{                                                                                                                    \
		return walk_down(&(this_format), npt, cache, gpa.raw, floor, cursor);                                        \
	}                                                                                                                    \
	/* Calls no function but at its end, so that the compiler saves no register. */                                      \
	static enum npt_kind ops_name##_find(const struct npt *npt, struct npt_walk_cache *cache, gpa_t gpa, unsigned floor, \
					     struct npt_cursor *cursor)                                                      \
	{                                                                                                                    \
		if (!walk_spared(npt, cache, gpa.raw, floor, cursor))                                                        \
			return ops_name##_walk(npt, cache, gpa, floor, cursor);                                              \
		return (this_format).kind(cursor->pte, 0);                                                                   \
	}                                                                                                                    \
	static enum err ops_name##_translate(const struct npt *npt, struct npt_walk_cache *cache, gpa_t gpa, hpa_t *hpa)     \
	{                                                                                                                    \
		return walk_translate(&(this_format), npt, cache, gpa.raw, hpa);                                             \
	}                                                                                                                    \
	static void ops_name##_decode(uint64_t pte, uint64_t gpa, unsigned level, struct npt_leaf *leaf)                     \
	{                                                                                                                    \
		walk_decode(&(this_format), pte, gpa, level, leaf);                                                          \
	}                                                                                                                    \
	const struct npt_ops ops_name = { .format = &(this_format),                                                          \
					  .find = ops_name##_find,                                                           \
					  .translate = ops_name##_translate,                                                 \
					  .decode = ops_name##_decode,                                                       \
					  __VA_ARGS__ }

#endif
