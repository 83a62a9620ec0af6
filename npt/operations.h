/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of npt/npt.h on top of the engine, compiled once per format. Private to npt/. */
#ifndef NESTLING_NPT_OPERATIONS_H
#define NESTLING_NPT_OPERATIONS_H

#include "npt/engine.h"

/* The highest level at which a leaf can start here. */
ENGINE unsigned engine_best_level(const struct npt *npt, uint64_t gpa, uint64_t hpa, uint64_t size)
{
	unsigned level = npt->config.max_leaf;

	while (level > 0 && (!is_aligned(gpa | hpa, npt_level_size(level)) || size < npt_level_size(level)))
		level--;
	return level;
}

/* Map as much as fits into one table, from `*gpa` on; moves `*gpa` past what it mapped, on failure too. */
ENGINE enum err engine_map_run(const struct npt_format *format, struct npt *npt, uint64_t *gpa, uint64_t end,
			       uint64_t hpa, struct npt_attr attr)
{
	unsigned level = engine_best_level(npt, *gpa, hpa, end - *gpa);
	uint64_t size = npt_level_size(level);
	uint64_t pte = format->leaf(HPA(hpa), attr, level, npt->config.hw_ad);
	uint64_t step = engine_step(format, level);
	uint64_t count = (min_u64(end, engine_table_end(npt, *gpa, level)) - *gpa) / size;
	uint64_t done = 0;
	struct npt_cursor cursor;
	enum err err = ERR_OK;

	if (engine_find(format, npt, *gpa, level, &cursor) != NPT_EMPTY)
		return ERR_EXISTS;
	if (cursor.level > level) {
		err = engine_extend(format, npt, &cursor, *gpa, level, pte);
		if (err != ERR_OK)
			return err;
		done = 1; /* with the new table, and counted there */
		*gpa += size;
		npt->leaves[level]++;
		pte += step;
	}
	uint64_t *slot = cursor.slot + done;
	uint64_t *stop = cursor.slot + count;

	while (slot < stop && format->kind(pte_load(slot), level) == NPT_EMPTY) {
		pte_store(slot++, pte);
		pte += step;
	}
	if (slot < stop)
		err = ERR_EXISTS;
	uint64_t filled = (uint64_t)(slot - cursor.slot) - done;

	*gpa += filled * size;
	npt->leaves[level] += filled;
	*npt->env->live(npt->env, cursor.table) += (uint16_t)filled;
	return err;
}

ENGINE enum err engine_map(const struct npt_format *format, struct npt *npt, gpa_t gpa, hpa_t hpa, uint64_t size,
			   struct npt_attr attr)
{
	uint64_t host_end = BIT(npt->config.hpa_bits);
	uint64_t at = gpa.raw, end = gpa.raw + size;
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK && !is_aligned(hpa.raw, PAGE_SIZE))
		err = ERR_INVALID;
	if (err == ERR_OK && (size > host_end || hpa.raw > host_end - size))
		err = ERR_RANGE;
	if (err == ERR_OK)
		err = format->check(&npt->config, attr);
	if (err != ERR_OK)
		return err;
	while (err == ERR_OK && at < end)
		err = engine_map_run(format, npt, &at, end, hpa.raw + (at - gpa.raw), attr);
	if (err != ERR_OK && at > gpa.raw) { /* all or nothing */
		struct npt_gather undo;

		npt_gather_init(&undo, npt);
		/* Whole leaves only, so nothing is split and nothing can fail. */
		enum err undone = npt->ops->unmap(npt, gpa, at - gpa.raw, &undo);
		npt_gather_finish(&undo);
		if (undone != ERR_OK)
			return undone;
	}
	return err;
}

ENGINE enum err engine_map_at(const struct npt_format *format, struct npt *npt, const struct npt_cursor *cursor,
			      gpa_t gpa, unsigned level, hpa_t hpa, struct npt_attr attr)
{
	struct npt_cursor at = *cursor;
	uint64_t pte;
	enum err err = format->check(&npt->config, attr);

	if (err != ERR_OK)
		return err;
	if (level > npt->config.max_leaf || !is_aligned(gpa.raw | hpa.raw, npt_level_size(level)))
		return ERR_INVALID;
	if (hpa.raw > BIT(npt->config.hpa_bits) - npt_level_size(level))
		return ERR_RANGE;
	if (level > cursor->level)
		return ERR_EXISTS;
	pte = format->leaf(hpa, attr, level, npt->config.hw_ad);
	if (at.level > level) {
		err = engine_extend(format, npt, &at, gpa.raw, level, pte);
		if (err != ERR_OK)
			return err;
	} else {
		pte_store(at.slot, pte);
		++*npt->env->live(npt->env, at.table);
	}
	npt->leaves[level]++;
	return ERR_OK;
}

/*
 * One operation on the leaves of a range. `leaf` sees each leaf; `run` is called after each stretch in one table.
 */
struct engine_pass {
	/* Returns false to end the pass. */
	bool (*leaf)(const struct npt_format *format, struct npt *npt, uint64_t *slot, uint64_t pte, uint64_t gpa,
		     unsigned level, void *arg);
	void (*run)(const struct npt_format *format, struct npt *npt, const struct npt_cursor *cursor, uint64_t gpa,
		    void *arg);
};

/* The stretch of entries of one table from `cursor` on, up to `stop` or the first table; returns where it ended. */
ENGINE uint64_t engine_pass_run(const struct npt_format *format, struct npt *npt, const struct npt_cursor *cursor,
				unsigned level, uint64_t gpa, uint64_t stop, const struct engine_pass *pass, void *arg,
				enum err *err, bool *more)
{
	uint64_t size = npt_level_size(level);
	uint64_t *slot = cursor->slot;

	for (gpa = align_down(gpa, size); gpa < stop; gpa += size, slot++) {
		uint64_t pte = pte_load(slot);
		enum npt_kind kind = format->kind(pte, level);

		if (kind == NPT_LEAF) {
			*more = pass->leaf(format, npt, slot, pte, gpa, level, arg);
			if (!*more)
				break;
		} else if (kind == NPT_TABLE) {
			break;
		} else if (kind == NPT_MALFORMED) {
			*err = ERR_CORRUPT;
		}
	}
	return gpa;
}

/* Apply `pass` to [gpa, end): one walk from the root per table, then straight along its entries. */
ENGINE enum err engine_pass(const struct npt_format *format, struct npt *npt, uint64_t gpa, uint64_t end,
			    const struct engine_pass *pass, void *arg)
{
	enum err err = ERR_OK;
	bool more = true;

	while (more && gpa < end) {
		struct npt_cursor cursor;
		uint64_t start = gpa, stop;

		engine_find(format, npt, gpa, 0, &cursor);
		stop = min_u64(end, engine_table_end(npt, gpa, cursor.level));
		if (cursor.level == 0) /* the common case gets a loop of its own, with the level folded in */
			gpa = engine_pass_run(format, npt, &cursor, 0, gpa, stop, pass, arg, &err, &more);
		else
			gpa = engine_pass_run(format, npt, &cursor, cursor.level, gpa, stop, pass, arg, &err, &more);
		if (pass->run)
			pass->run(format, npt, &cursor, start, arg);
	}
	return err;
}

struct unmap_arg {
	struct npt_gather *gather;
	uint64_t removed; /* in this run */
	uint64_t first, last;
};

ENGINE bool unmap_leaf(const struct npt_format *format, struct npt *npt, uint64_t *slot, uint64_t pte, uint64_t gpa,
		       unsigned level, void *arg)
{
	struct unmap_arg *unmap = arg;

	(void)npt;
	pte = __atomic_exchange_n(slot, 0, __ATOMIC_ACQ_REL);
	if (unmap->removed++ == 0)
		unmap->first = gpa;
	unmap->last = gpa;
	if (unmap->gather->leaf_gone)
		unmap->gather->leaf_gone(unmap->gather, format->addr(pte, level), level);
	return true;
}

ENGINE void unmap_run(const struct npt_format *format, struct npt *npt, const struct npt_cursor *cursor, uint64_t gpa,
		      void *arg)
{
	struct unmap_arg *unmap = arg;
	uint16_t *live = npt->env->live(npt->env, cursor->table);

	if (unmap->removed == 0)
		return;
	npt_gather_range(unmap->gather, unmap->first, unmap->last + npt_level_size(cursor->level));
	npt->leaves[cursor->level] -= unmap->removed;
	*live = (uint16_t)(*live - unmap->removed);
	unmap->removed = 0;
	if (*live == 0)
		engine_prune(format, npt, gpa, unmap->gather);
}

ENGINE enum err engine_unmap(const struct npt_format *format, struct npt *npt, gpa_t gpa, uint64_t size,
			     struct npt_gather *gather)
{
	static const struct engine_pass pass = { .leaf = unmap_leaf, .run = unmap_run };
	struct unmap_arg arg = { .gather = gather };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK)
		err = engine_cut(format, npt, gpa.raw, gpa.raw + size);
	if (err != ERR_OK)
		return err;
	return engine_pass(format, npt, gpa.raw, gpa.raw + size, &pass, &arg);
}

struct protect_arg {
	struct npt_gather *gather;
	unsigned prot;
};

ENGINE bool protect_leaf(const struct npt_format *format, struct npt *npt, uint64_t *slot, uint64_t pte, uint64_t gpa,
			 unsigned level, void *arg)
{
	struct protect_arg *protect = arg;
	uint64_t wanted;

	do {
		wanted = format->set_prot(pte, protect->prot, npt->config.hw_ad);
	} while (!__atomic_compare_exchange_n(slot, &pte, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (format->attr(pte, level).prot & ~protect->prot)
		npt_gather_range(protect->gather, gpa, gpa + npt_level_size(level));
	return true;
}

ENGINE enum err engine_protect(const struct npt_format *format, struct npt *npt, gpa_t gpa, uint64_t size,
			       unsigned prot, struct npt_gather *gather)
{
	static const struct engine_pass pass = { .leaf = protect_leaf };
	struct protect_arg arg = { .gather = gather, .prot = prot };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK)
		err = prot > NPT_RWX ? ERR_INVALID :
				       format->check(&npt->config, (struct npt_attr){ .prot = (uint8_t)prot });
	if (err == ERR_OK)
		err = engine_cut(format, npt, gpa.raw, gpa.raw + size);
	if (err != ERR_OK)
		return err;
	return engine_pass(format, npt, gpa.raw, gpa.raw + size, &pass, &arg);
}

ENGINE enum err engine_split(const struct npt_format *format, struct npt *npt, gpa_t gpa, unsigned level)
{
	struct npt_cursor cursor;

	if (gpa.raw >= BIT(npt->config.gpa_bits))
		return ERR_RANGE;
	for (;;) {
		hpa_t table;
		enum err err;

		if (engine_find(format, npt, gpa.raw, 0, &cursor) != NPT_LEAF)
			return ERR_NOT_FOUND;
		if (cursor.level <= level)
			return ERR_OK;
		err = engine_alloc_tables(npt, &table, 1);
		if (err != ERR_OK)
			return err;
		engine_split_leaf(format, npt, &cursor, gpa.raw, table);
	}
}

ENGINE enum err engine_cut_range(const struct npt_format *format, struct npt *npt, gpa_t gpa, uint64_t size)
{
	enum err err = engine_check_range(npt, gpa.raw, size);

	return err == ERR_OK ? engine_cut(format, npt, gpa.raw, gpa.raw + size) : err;
}

ENGINE void engine_decode(const struct npt_format *format, const struct npt *npt, const struct npt_cursor *cursor,
			  gpa_t gpa, struct npt_leaf *leaf)
{
	(void)npt;
	*leaf = (struct npt_leaf){
		.gpa = GPA(align_down(gpa.raw, npt_level_size(cursor->level))),
		.hpa = format->addr(cursor->pte, cursor->level),
		.level = cursor->level,
		.attr = format->attr(cursor->pte, cursor->level),
		.accessed = format->accessed(cursor->pte),
		.dirty = format->dirty(cursor->pte),
	};
}

struct visit_arg {
	npt_visitor visit;
	void *context;
};

ENGINE bool visit_leaf(const struct npt_format *format, struct npt *npt, uint64_t *slot, uint64_t pte, uint64_t gpa,
		       unsigned level, void *arg)
{
	const struct npt_cursor cursor = { .slot = slot, .pte = pte, .level = level };
	struct visit_arg *visit = arg;
	struct npt_leaf leaf;

	engine_decode(format, npt, &cursor, GPA(gpa), &leaf);
	return visit->visit(&leaf, visit->context);
}

ENGINE enum err engine_walk(const struct npt_format *format, const struct npt *npt, gpa_t gpa, uint64_t size,
			    npt_visitor visit, void *context)
{
	static const struct engine_pass pass = { .leaf = visit_leaf };
	struct visit_arg arg = { .visit = visit, .context = context };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err != ERR_OK)
		return err;
	/* This pass changes nothing. */
	return engine_pass(format, (struct npt *)(uintptr_t)npt, gpa.raw, gpa.raw + size, &pass, &arg);
}

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
			engine_free_below(format, npt, format->addr(pte, level), level - 1, 1u << NPT_INDEX_BITS);
	}
	if (level < npt->config.levels - 1u)
		engine_free_table(npt, table);
}

ENGINE void engine_free(const struct npt_format *format, struct npt *npt)
{
	engine_free_below(format, npt, npt->root, npt->config.levels - 1u, 1u << (NPT_INDEX_BITS + npt->root_order));
	npt->env->free_table(npt->env, npt->root, npt->root_order);
	npt->table_bytes = 0;
}

#endif
