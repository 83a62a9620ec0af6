/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on ranges: map, unmap, protect, clone, harvest, walk. Compiled once per format; private to npt/. */
#ifndef NESTLING_NPT_RANGES_H
#define NESTLING_NPT_RANGES_H

#include "npt/reshape.h"

/* --- Map --- */

/* The highest level at which a leaf can start here. */
ENGINE unsigned engine_best_level(const struct npt *npt, uint64_t gpa, uint64_t hpa, uint64_t size)
{
	unsigned level = npt->config.max_leaf;

	while (level > 0 && (!is_aligned(gpa | hpa, npt_level_size(level)) || size < npt_level_size(level)))
		level--;
	return level;
}

/* Fill in the empty entries from `slot` on; returns where the first other one is, or `stop`. */
ENGINE uint64_t *map_fill(const struct npt_format *format, uint64_t *slot, const uint64_t *stop, uint64_t pte, unsigned level)
{
	uint64_t step = engine_step(format, level);

	for (; slot < stop; slot++, pte += step) {
		if (pte_load(slot) != 0 && format->kind(pte_load(slot), level) != NPT_EMPTY)
			break;
		pte_store(slot, pte);
	}
	return slot;
}

/* Map as much as fits into one table, from `*gpa` on; moves `*gpa` past what it mapped, on failure too. */
ENGINE enum err map_run(const struct npt_format *format, struct npt *npt, uint64_t *gpa, uint64_t end, uint64_t hpa,
			struct npt_attr attr)
{
	unsigned level = engine_best_level(npt, *gpa, hpa, end - *gpa);
	uint64_t size = npt_level_size(level), done = 0;
	uint64_t pte = engine_leaf(format, HPA(hpa), attr, level, npt->config.hw_ad);
	uint64_t count = (min_u64(end, engine_table_end(npt, *gpa, level)) - *gpa) / size;
	struct npt_cursor cursor;
	uint64_t *stop;

	if (engine_find(npt, *gpa, level, &cursor) != NPT_EMPTY)
		return ERR_EXISTS;
	if (cursor.level > level) {
		hpa_t tables[NPT_MAX_LEVELS];
		enum err err = engine_alloc_tables(npt, tables, cursor.level - level);

		if (err != ERR_OK)
			return err;
		engine_extend(npt, &cursor, *gpa, level, pte, tables);
		done = 1; /* with the new table, and counted there */
	}
	pte += done * engine_step(format, level);
	if (level == 0) /* the common case gets a loop of its own */
		stop = map_fill(format, cursor.slot + done, cursor.slot + count, pte, 0);
	else
		stop = map_fill(format, cursor.slot + done, cursor.slot + count, pte, level);
	uint64_t filled = (uint64_t)(stop - cursor.slot);

	*gpa += filled * size;
	npt->leaves[level] += filled - done;
	*npt->env->live(npt->env, cursor.table) += (uint16_t)(filled - done);
	return filled < count ? ERR_EXISTS : ERR_OK;
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
		err = map_run(format, npt, &at, end, hpa.raw + (at - gpa.raw), attr);
	if (err != ERR_OK && at > gpa.raw) { /* all or nothing */
		struct npt_gather undo;

		npt_gather_init(&undo, npt);
		/* Whole leaves only: nothing is split, and so nothing can fail. */
		npt->ops->unmap(npt, gpa, at - gpa.raw, &undo);
		npt_gather_finish(&undo);
	}
	return err;
}

/* --- Unmap --- */

ENGINE void unmap_run(const struct npt_format *format, struct npt *npt, struct engine_run *run, unsigned level, void *arg)
{
	struct npt_gather *gather = arg;
	const uint64_t fixed = ~(engine_varying(format, level) | format->marks_of_hardware);
	uint64_t *slot = run->slot, removed = 0, pte;
	uint16_t *live;

	while ((slot = engine_next_leaf(format, run, slot, level, &pte)) < run->stop) {
		uint64_t *const first = slot;
		const uint64_t like = pte;

		/* Straight on as long as entries differ by their address only. */
		if (gather->leaf_gone) {
			do {
				pte_store(slot, 0);
				gather->leaf_gone(gather, engine_leaf_addr(format, pte, level), level);
			} while (++slot < run->stop && (((pte = pte_load(slot)) ^ like) & fixed) == 0);
		} else {
			uint64_t *const stop = run->stop;

			do {
				pte_store(slot, 0);
			} while (++slot < stop && ((pte_load(slot) ^ like) & fixed) == 0);
		}
		removed += (uint64_t)(slot - first);
		npt_gather_range(gather, engine_run_gpa(run, first, level), engine_run_gpa(run, slot, level));
	}
	if (removed == 0)
		return;
	live = npt->env->live(npt->env, run->table);
	npt->leaves[level] -= removed;
	*live = (uint16_t)(*live - removed);
	if (*live == 0)
		engine_prune(npt, run->gpa, gather);
}

ENGINE enum err engine_unmap(const struct npt_format *format, struct npt *npt, gpa_t gpa, uint64_t size,
			     struct npt_gather *gather)
{
	enum err err = engine_cut(format, npt, gpa, size);

	return err == ERR_OK ? engine_run_all(format, npt, gpa.raw, gpa.raw + size, unmap_run, true, gather) : err;
}

/* --- Protect --- */

struct protect_arg {
	struct npt_gather *gather;
	unsigned prot;
};

ENGINE uint64_t protect_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned prot, bool hw_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	attr.prot = (uint8_t)(attr.shared ? prot & NPT_RX : prot);
	return engine_set(format, pte, attr, engine_marks(format, pte), hw_ad);
}

/*
 * Change the leaves from `slot` on that differ from the first one by their address and `settable` only; returns where
 * another one is. One instruction does it, with no regard to what hardware sets meanwhile in `settable`.
 */
ENGINE uint64_t *protect_alike(const struct npt_format *format, uint64_t *slot, const uint64_t *stop, uint64_t like,
			       uint64_t settable, uint64_t delta, unsigned level)
{
	const uint64_t fixed = ~(engine_varying(format, level) | settable);

	do {
		__atomic_fetch_xor(slot, delta, __ATOMIC_ACQ_REL);
	} while (++slot < stop && ((pte_load(slot) ^ like) & fixed) == 0);
	return slot;
}

/* The same, with regard to it: those that differ by their address only. */
ENGINE uint64_t *protect_by_one(const struct npt_format *format, uint64_t *slot, const uint64_t *stop, uint64_t like,
				unsigned level, unsigned prot, bool hw_ad)
{
	const uint64_t fixed = ~engine_varying(format, level);
	struct engine_change change = { 0 };
	uint64_t pte = like;

	do {
		engine_change(format, slot, pte, level, &change, protect_leaf, prot, hw_ad);
	} while (++slot < stop && (((pte = pte_load(slot)) ^ like) & fixed) == 0);
	return slot;
}

ENGINE void protect_run(const struct npt_format *format, struct npt *npt, struct engine_run *run, unsigned level, void *arg)
{
	const struct protect_arg *protect = arg;
	const bool hw_ad = npt->config.hw_ad;
	const uint64_t settable = hw_ad ? format->marks_of_hardware : 0;
	uint64_t *slot = run->slot, pte;

	while ((slot = engine_next_leaf(format, run, slot, level, &pte)) < run->stop) {
		uint64_t *const first = slot;
		uint64_t set = pte | settable, clear = pte & ~settable;
		uint64_t delta = protect_leaf(format, set, level, protect->prot, hw_ad) ^ set;

		/* Stage 2's dirty state is the permission to write: there the change is not the same with and without it. */
		if (delta == (protect_leaf(format, clear, level, protect->prot, hw_ad) ^ clear))
			slot = protect_alike(format, slot, run->stop, pte, settable, delta, level);
		else
			slot = protect_by_one(format, slot, run->stop, pte, level, protect->prot, hw_ad);
		if (!format->hidden(pte) && (engine_attr(format, pte, level).prot & ~protect->prot))
			npt_gather_range(protect->gather, engine_run_gpa(run, first, level),
					 engine_run_gpa(run, slot, level));
	}
}

ENGINE enum err engine_protect(const struct npt_format *format, struct npt *npt, gpa_t gpa, uint64_t size,
			       unsigned prot, struct npt_gather *gather)
{
	struct protect_arg arg = { .gather = gather, .prot = prot };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK)
		err = prot > NPT_RWX ? ERR_INVALID :
				       format->check(&npt->config, (struct npt_attr){ .prot = (uint8_t)prot });
	if (err == ERR_OK)
		err = engine_cut(format, npt, gpa, size);
	return err == ERR_OK ? engine_run_all(format, npt, gpa.raw, gpa.raw + size, protect_run, true, &arg) : err;
}

/* --- Clone --- */

struct clone_arg {
	struct npt *child;
	struct npt_gather *gather;
	npt_cloned cloned;
	void *context;
	bool share;
};

/* A leaf that two spaces have from now on. */
ENGINE uint64_t clone_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned arg, bool hw_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	(void)arg;
	attr.prot &= NPT_RX;
	attr.shared = true;
	return engine_set(format, pte, attr, engine_marks(format, pte), hw_ad);
}

/* The child's side of a run: made when the run's first leaf is found, since a table must not stay empty. */
struct clone_target {
	struct npt_cursor cursor; /* for the entry at run->slot, once `tables` are in place */
	hpa_t tables[NPT_MAX_LEVELS];
};

ENGINE enum err clone_target(struct npt *child, uint64_t gpa, unsigned level,
			     struct clone_target *target)
{
	if (engine_find(child, gpa, level, &target->cursor) == NPT_EMPTY && target->cursor.level > level)
		return engine_alloc_tables(child, target->tables, target->cursor.level - level);
	return target->cursor.level == level ? ERR_OK : ERR_EXISTS;
}

ENGINE void clone_run(const struct npt_format *format, struct npt *npt, struct engine_run *run, unsigned level, void *arg)
{
	const struct clone_arg *clone = arg;
	struct npt *child = clone->child;
	struct clone_target target = { .cursor.slot = NULL };
	struct engine_change change = { 0 };
	uint64_t *slot = run->slot, *to = NULL, pte, count = 0;
	uint64_t narrowed = UINT64_MAX, end = 0;
	enum err err = ERR_OK;

	for (; (slot = engine_next_leaf(format, run, slot, level, &pte)) < run->stop; slot++) {
		uint64_t gpa = engine_run_gpa(run, slot, level);

		if (!to)
			err = clone_target(child, gpa, level, &target);
		if (!to && err == ERR_OK)
			to = target.cursor.level == level ? target.cursor.slot - (slot - run->slot) : NULL;
		if (err == ERR_OK && to && format->kind(pte_load(to + (slot - run->slot)), level) != NPT_EMPTY)
			err = ERR_EXISTS;
		if (err != ERR_OK)
			break;
		if (clone->share) {
			if (!format->hidden(pte) && (engine_attr(format, pte, level).prot & NPT_W)) {
				narrowed = min_u64(narrowed, gpa);
				end = gpa + npt_level_size(level);
			}
			pte = engine_change(format, slot, pte, level, &change, clone_leaf, 0, npt->config.hw_ad);
		}
		clone->cloned(engine_leaf_addr(format, pte, level), level, clone->context);
		if (to) {
			pte_store(to + (slot - run->slot), pte);
			count++;
		} else {
			engine_extend(child, &target.cursor, gpa, level, pte, target.tables);
			to = target.cursor.slot - (slot - run->slot);
		}
	}
	npt_gather_range(clone->gather, narrowed, end);
	if (count > 0) {
		child->leaves[level] += count;
		*child->env->live(child->env, target.cursor.table) += (uint16_t)count;
	}
	if (err != ERR_OK) {
		run->err = err;
		run->ended = true;
	}
}

ENGINE enum err engine_clone(const struct npt_format *format, struct npt *npt, struct npt *child, gpa_t gpa, uint64_t size,
			     bool share, struct npt_gather *gather, npt_cloned cloned, void *context)
{
	struct clone_arg arg = {
		.child = child, .gather = gather, .cloned = cloned, .context = context, .share = share,
	};
	enum err err = engine_check_range(npt, gpa.raw, size);

	return err == ERR_OK ? engine_run_all(format, npt, gpa.raw, gpa.raw + size, clone_run, false, &arg) : err;
}

/* --- Harvest --- */

struct harvest_arg {
	struct npt_gather *gather;
	uint64_t *bitmap;
	uint64_t gpa, end;
	enum npt_mark mark;
};

/* Set the bits of the pages from `gpa` to before `end` that are in the range. */
static inline void harvest_tell(const struct harvest_arg *harvest, uint64_t gpa, uint64_t end)
{
	uint64_t bit = (max_u64(gpa, harvest->gpa) - harvest->gpa) >> PAGE_SHIFT;
	uint64_t stop = (min_u64(end, harvest->end) - harvest->gpa) >> PAGE_SHIFT;

	while (bit < stop) { /* word by word */
		uint64_t count = min_u64(stop - bit, 64 - bit % 64);

		harvest->bitmap[bit / 64] |= (~UINT64_C(0) >> (64 - count)) << (bit % 64);
		bit += count;
	}
}

/* Take the mark, and what lets the hardware in without leaving it again. */
ENGINE uint64_t harvest_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned mark, bool hw_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	if (!hw_ad && mark == NPT_DIRTY)
		attr.prot &= NPT_RX;
	pte = engine_set(format, pte, attr, engine_marks(format, pte) & ~mark, hw_ad);
	return !hw_ad && mark == NPT_ACCESSED ? format->hide(pte) : pte;
}

ENGINE void harvest_run(const struct npt_format *format, struct npt *npt, struct engine_run *run, unsigned level, void *arg)
{
	const struct harvest_arg *harvest = arg;
	struct engine_change change = { 0 };
	uint64_t *slot = run->slot, pte, taken = UINT64_MAX, taken_end = 0;

	for (; (slot = engine_next_leaf(format, run, slot, level, &pte)) < run->stop; slot++) {
		uint64_t gpa = engine_run_gpa(run, slot, level), end = gpa + npt_level_size(level);

		if (!(engine_marks(format, pte) & harvest->mark))
			continue;
		if (harvest->bitmap)
			harvest_tell(harvest, gpa, end);
		if (level > 0 && (gpa < harvest->gpa || end > harvest->end))
			continue;
		engine_change(format, slot, pte, level, &change, harvest_leaf, harvest->mark, npt->config.hw_ad);
		if (!format->hidden(pte)) {
			taken = min_u64(taken, gpa);
			taken_end = end;
		}
	}
	npt_gather_range(harvest->gather, taken, taken_end);
}

ENGINE enum err engine_harvest(const struct npt_format *format, struct npt *npt, gpa_t gpa, uint64_t size,
			       enum npt_mark mark, uint64_t *bitmap, struct npt_gather *gather)
{
	struct harvest_arg arg = {
		.gather = gather, .bitmap = bitmap, .gpa = gpa.raw, .end = gpa.raw + size, .mark = mark,
	};
	enum err err = engine_check_range(npt, gpa.raw, size);

	return err == ERR_OK ? engine_run_all(format, npt, gpa.raw, gpa.raw + size, harvest_run, false, &arg) : err;
}

/* --- Walk --- */

struct visit_arg {
	npt_visitor visit;
	void *context;
};

ENGINE void visit_run(const struct npt_format *format, struct npt *npt, struct engine_run *run, unsigned level, void *arg)
{
	const struct visit_arg *visit = arg;
	uint64_t *slot = run->slot, pte;

	(void)npt;
	for (; (slot = engine_next_leaf(format, run, slot, level, &pte)) < run->stop; slot++) {
		struct npt_leaf leaf = engine_decode(format, pte, engine_run_gpa(run, slot, level), level);

		if (!visit->visit(&leaf, visit->context)) {
			run->ended = true;
			break;
		}
	}
}

ENGINE enum err engine_walk(const struct npt_format *format, const struct npt *npt, gpa_t gpa, uint64_t size,
			    npt_visitor visit, void *context)
{
	struct visit_arg arg = { .visit = visit, .context = context };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err != ERR_OK)
		return err;
	/* These runs change nothing. */
	return engine_run_all(format, (struct npt *)(uintptr_t)npt, gpa.raw, gpa.raw + size, visit_run, false, &arg);
}

#endif
