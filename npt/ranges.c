/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on ranges: map, unmap, protect, clone, harvest, walk. */
#include "npt/engine.h"
#include "npt/group.h"

enum err engine_run_all(struct npt *npt, uint64_t gpa, uint64_t end, engine_runner runner, void *arg)
{
	struct engine_run run = { .npt = npt, .format = npt->ops->format, .err = ERR_OK };

	while (gpa < end && !run.ended) {
		struct npt_cursor cursor;
		unsigned shift;
		uint64_t stop;

		engine_find(npt, gpa, 0, &cursor);
		shift = PAGE_SHIFT + NPT_INDEX_BITS * cursor.level;
		stop = min_u64(end, engine_table_end(npt, gpa, cursor.level));
		run.slot = cursor.slot;
		run.gpa = gpa >> shift << shift;
		run.stop = run.slot + ((stop - run.gpa + BIT(shift) - 1) >> shift);
		run.table = cursor.table;
		run.level = cursor.level;
		run.like = 0;
		run.unlike = ~UINT64_C(0);
		runner(&run, arg);
		gpa = engine_run_gpa(&run, run.stop);
	}
	return run.err;
}

/* --- Map --- */

/* The highest level at which a leaf can start here. */
static unsigned best_level(const struct npt *npt, uint64_t gpa, uint64_t hpa, uint64_t size)
{
	unsigned level = npt->config.max_leaf;

	while (level > 0 && (!is_aligned(gpa | hpa, npt_level_size(level)) || size < npt_level_size(level)))
		level--;
	return level;
}

/* Fill in the empty entries from `slot` on; returns where the first other one is, or `stop`. */
static uint64_t *map_fill(const struct npt_format *format, uint64_t *slot, const uint64_t *stop, uint64_t pte, unsigned level)
{
	uint64_t step = engine_step(format, level);

	for (; is_group(slot, stop, 0, ~UINT64_C(0), 0); slot += GROUP)
		FOR_EACH_OF_GROUP(i) {
			pte_store(slot + i, pte);
			pte += step;
		}
	for (; slot < stop; slot++, pte += step) {
		if (pte_load(slot) != 0 && format->kind(pte_load(slot), level) != NPT_EMPTY)
			break;
		pte_store(slot, pte);
	}
	return slot;
}

/* Map as much as fits into one table, from `*gpa` on; moves `*gpa` past what it mapped, on failure too. */
static enum err map_run(struct npt *npt, uint64_t *gpa, uint64_t end, uint64_t hpa, struct npt_attr attr)
{
	const struct npt_format *format = npt->ops->format;
	unsigned level = best_level(npt, *gpa, hpa, end - *gpa);
	unsigned shift = PAGE_SHIFT + NPT_INDEX_BITS * level;
	uint64_t done = 0, filled;
	uint64_t pte = engine_leaf(format, HPA(hpa), attr, level, npt->config.hw_ad);
	uint64_t count = (min_u64(end, engine_table_end(npt, *gpa, level)) - *gpa) >> shift;
	struct npt_cursor cursor;

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
	filled = (uint64_t)(map_fill(format, cursor.slot + done, cursor.slot + count, pte, level) - cursor.slot);
	*gpa += filled << shift;
	npt->leaves[level] += filled - done;
	*npt->env->live(npt->env, cursor.table) += (uint16_t)(filled - done);
	return filled < count ? ERR_EXISTS : ERR_OK;
}

enum err npt_map(struct npt *npt, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr)
{
	uint64_t at = gpa.raw, end = gpa.raw + size;
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK && !is_aligned(hpa.raw, PAGE_SIZE))
		err = ERR_INVALID;
	if (err == ERR_OK && (size > npt->host_end || hpa.raw > npt->host_end - size))
		err = ERR_RANGE;
	if (err == ERR_OK)
		err = npt_check(npt, attr);
	if (err != ERR_OK)
		return err;
	while (err == ERR_OK && at < end)
		err = map_run(npt, &at, end, hpa.raw + (at - gpa.raw), attr);
	if (err != ERR_OK && at > gpa.raw) { /* all or nothing */
		struct npt_gather undo;

		npt_gather_init(&undo, npt);
		/* Whole leaves only: nothing is split, and so nothing can fail. */
		(void)!npt_unmap(npt, gpa, at - gpa.raw, &undo);
		npt_gather_finish(&undo);
	}
	return err;
}

/* --- Unmap --- */

/* Clear the leaves from `slot` on that are like `pte` and, with `step`, map what follows; returns where another entry is. */
static uint64_t *clear_alike(uint64_t *slot, const uint64_t *stop, uint64_t pte, uint64_t unlike, uint64_t step)
{
	for (; is_group(slot, stop, pte, unlike, step); slot += GROUP, pte += GROUP * step)
		FOR_EACH_OF_GROUP(i)
			pte_store(slot + i, 0);
	for (; slot < stop && ((pte_load(slot) ^ pte) & unlike) == 0; slot++, pte += step)
		pte_store(slot, 0);
	return slot;
}

static void unmap_run(struct engine_run *run, void *arg)
{
	struct npt_gather *gather = arg;
	struct npt *npt = run->npt;
	uint64_t step = gather->leaves_gone ? engine_step(run->format, run->level) : 0;
	uint64_t *slot = run->slot, removed = 0, pte;
	uint16_t *live;

	while ((slot = engine_next_leaf(run, slot, &pte)) < run->stop) {
		uint64_t *const first = slot;
		uint64_t count, unlike = run->unlike;

		if (gather->leaves_gone) /* in a row on the host, too */
			unlike = ~run->format->marks_of_hardware;
		slot = clear_alike(slot, run->stop, pte, unlike, step);
		count = (uint64_t)(slot - first);
		removed += count;
		engine_gather_range(gather, engine_run_gpa(run, first), engine_run_gpa(run, slot));
		if (gather->leaves_gone)
			gather->leaves_gone(gather, engine_leaf_addr(run->format, pte, run->level), run->level, count);
	}
	if (removed == 0)
		return;
	live = npt->env->live(npt->env, run->table);
	npt->leaves[run->level] -= removed;
	*live = (uint16_t)(*live - removed);
	if (*live == 0)
		engine_prune(npt, run->gpa, gather);
}

enum err npt_unmap(struct npt *npt, gpa_t gpa, uint64_t size, struct npt_gather *gather)
{
	enum err err = npt_cut(npt, gpa, size);

	return err == ERR_OK ? engine_run_all(npt, gpa.raw, gpa.raw + size, unmap_run, gather) : err;
}

/* --- Protect --- */

struct protect_arg {
	struct npt_gather *gather;
	unsigned prot;
};

static uint64_t protect_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned prot, bool hw_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	attr.prot = (uint8_t)(attr.shared ? prot & NPT_RX : prot);
	return engine_set(format, pte, attr, engine_marks(format, pte), hw_ad);
}

/*
 * Change the leaves from `slot` on that are like the first one, which is `like`; returns where another one is. One instruction
 * does it, with no regard to the marks that hardware sets meanwhile.
 */
static uint64_t *protect_alike(uint64_t *slot, const uint64_t *stop, uint64_t like, uint64_t unlike, uint64_t delta)
{
	for (; is_group(slot, stop, like, unlike, 0); slot += GROUP)
		FOR_EACH_OF_GROUP(i)
			__atomic_fetch_xor(slot + i, delta, __ATOMIC_ACQ_REL);
	for (; slot < stop && ((pte_load(slot) ^ like) & unlike) == 0; slot++)
		__atomic_fetch_xor(slot, delta, __ATOMIC_ACQ_REL);
	return slot;
}

/* The same, with regard to them: those that differ by their address only. */
static uint64_t *protect_by_one(struct engine_run *run, uint64_t *slot, uint64_t like, unsigned prot)
{
	const uint64_t unlike = ~engine_varying(run->format, run->level);
	struct engine_change change = { 0 };
	uint64_t pte = like;

	do {
		engine_change(run->format, slot, pte, run->level, &change, protect_leaf, prot, run->npt->config.hw_ad);
	} while (++slot < run->stop && (((pte = pte_load(slot)) ^ like) & unlike) == 0);
	return slot;
}

static void protect_run(struct engine_run *run, void *arg)
{
	const struct protect_arg *protect = arg;
	const struct npt_format *format = run->format;
	const bool hw_ad = run->npt->config.hw_ad;
	const uint64_t settable = hw_ad ? format->marks_of_hardware : 0;
	uint64_t *slot = run->slot, pte;

	while ((slot = engine_next_leaf(run, slot, &pte)) < run->stop) {
		uint64_t *const first = slot;
		uint64_t set = pte | settable, clear = pte & ~settable;
		uint64_t delta = protect_leaf(format, set, run->level, protect->prot, hw_ad) ^ set;

		/* Stage 2's dirty state is the permission to write: there the change is not the same with and without it. */
		if (delta == (protect_leaf(format, clear, run->level, protect->prot, hw_ad) ^ clear))
			slot = protect_alike(slot, run->stop, pte, ~engine_varying(format, run->level) & ~settable, delta);
		else
			slot = protect_by_one(run, slot, pte, protect->prot);
		if (!format->hidden(pte) && (engine_attr(format, pte, run->level).prot & ~protect->prot))
			engine_gather_range(protect->gather, engine_run_gpa(run, first), engine_run_gpa(run, slot));
	}
}

enum err npt_protect(struct npt *npt, gpa_t gpa, uint64_t size, unsigned prot, struct npt_gather *gather)
{
	struct protect_arg arg = { .gather = gather, .prot = prot };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK)
		err = prot > NPT_RWX ? ERR_INVALID : npt_check(npt, (struct npt_attr){ .prot = (uint8_t)prot });
	if (err == ERR_OK)
		err = npt_cut(npt, gpa, size);
	return err == ERR_OK ? engine_run_all(npt, gpa.raw, gpa.raw + size, protect_run, &arg) : err;
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
static uint64_t clone_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned arg, bool hw_ad)
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

static enum err clone_target(struct npt *child, uint64_t gpa, unsigned level, struct clone_target *target)
{
	if (engine_find(child, gpa, level, &target->cursor) == NPT_EMPTY && target->cursor.level > level)
		return engine_alloc_tables(child, target->tables, target->cursor.level - level);
	return target->cursor.level == level ? ERR_OK : ERR_EXISTS;
}

static void clone_run(struct engine_run *run, void *arg)
{
	const struct npt_format *format = run->format;
	const bool hw_ad = run->npt->config.hw_ad;
	const unsigned level = run->level;
	const struct clone_arg *clone = arg;
	struct npt *child = clone->child;
	struct clone_target target = { .cursor.slot = NULL };
	struct engine_change change = { 0 };
	uint64_t *slot = run->slot, *to = NULL, pte, count = 0;
	uint64_t narrowed = UINT64_MAX, end = 0;
	enum err err = ERR_OK;

	for (; (slot = engine_next_leaf(run, slot, &pte)) < run->stop; slot++) {
		uint64_t gpa = engine_run_gpa(run, slot);

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
			pte = engine_change(format, slot, pte, level, &change, clone_leaf, 0, hw_ad);
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
	engine_gather_range(clone->gather, narrowed, end);
	if (count > 0) {
		child->leaves[level] += count;
		*child->env->live(child->env, target.cursor.table) += (uint16_t)count;
	}
	if (err != ERR_OK) {
		run->err = err;
		run->ended = true;
	}
}

enum err npt_clone(struct npt *npt, struct npt *child, gpa_t gpa, uint64_t size, bool share, struct npt_gather *gather,
		   npt_cloned cloned, void *context)
{
	struct clone_arg arg = {
		.child = child, .gather = gather, .cloned = cloned, .context = context, .share = share,
	};
	enum err err = engine_check_range(npt, gpa.raw, size);

	return err == ERR_OK ? engine_run_all(npt, gpa.raw, gpa.raw + size, clone_run, &arg) : err;
}

/* --- Harvest --- */

struct harvest_arg {
	struct npt_gather *gather;
	uint64_t *bitmap;
	uint64_t gpa, end;
	enum npt_mark mark;
};

/* Set the bits of the pages from `gpa` to before `end` that are in the range. */
static void harvest_tell(const struct harvest_arg *harvest, uint64_t gpa, uint64_t end)
{
	uint64_t bit = (max_u64(gpa, harvest->gpa) - harvest->gpa) >> PAGE_SHIFT;
	uint64_t stop = (max_u64(min_u64(end, harvest->end), harvest->gpa) - harvest->gpa) >> PAGE_SHIFT;

	while (harvest->bitmap && bit < stop) { /* word by word */
		uint64_t count = min_u64(stop - bit, 64 - bit % 64);

		harvest->bitmap[bit / 64] |= (~UINT64_C(0) >> (64 - count)) << (bit % 64);
		bit += count;
	}
}

/* Take the mark, and what lets the hardware in without leaving it again. */
static uint64_t harvest_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned mark, bool hw_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	if (!hw_ad && mark == NPT_DIRTY)
		attr.prot &= NPT_RX;
	pte = engine_set(format, pte, attr, engine_marks(format, pte) & ~mark, hw_ad);
	return !hw_ad && mark == NPT_ACCESSED ? format->hide(pte) : pte;
}

static void harvest_run(struct engine_run *run, void *arg)
{
	const struct npt_format *format = run->format;
	const unsigned level = run->level;
	const uint64_t unlike = ~engine_varying(format, level);
	const struct harvest_arg *harvest = arg;
	struct engine_change change = { 0 };
	uint64_t *slot = run->slot, pte, like = 0, taken = UINT64_MAX, taken_end = 0, told = 0, told_end = 0;
	bool marked = false, hidden = false; /* is what is like `like` */

	for (; (slot = engine_next_leaf(run, slot, &pte)) < run->stop; slot++) {
		uint64_t gpa = engine_run_gpa(run, slot), end = gpa + npt_level_size(level);

		if ((pte ^ like) & unlike) {
			like = pte;
			marked = engine_marks(format, pte) & harvest->mark;
			hidden = format->hidden(pte);
		}
		if (!marked)
			continue;
		if (gpa != told_end) {
			harvest_tell(harvest, told, told_end);
			told = gpa;
		}
		told_end = end;
		if (level > 0 && (gpa < harvest->gpa || end > harvest->end))
			continue;
		engine_change(format, slot, pte, level, &change, harvest_leaf, harvest->mark,
			      run->npt->config.hw_ad);
		if (!hidden) {
			taken = min_u64(taken, gpa);
			taken_end = end;
		}
	}
	harvest_tell(harvest, told, told_end);
	engine_gather_range(harvest->gather, taken, taken_end);
}

enum err npt_harvest(struct npt *npt, gpa_t gpa, uint64_t size, enum npt_mark mark, uint64_t *bitmap,
		     struct npt_gather *gather)
{
	struct harvest_arg arg = {
		.gather = gather, .bitmap = bitmap, .gpa = gpa.raw, .end = gpa.raw + size, .mark = mark,
	};
	enum err err = engine_check_range(npt, gpa.raw, size);

	return err == ERR_OK ? engine_run_all(npt, gpa.raw, gpa.raw + size, harvest_run, &arg) : err;
}

/* --- Walk --- */

struct visit_arg {
	npt_visitor visit;
	void *context;
};

static void visit_run(struct engine_run *run, void *arg)
{
	const struct visit_arg *visit = arg;
	uint64_t *slot = run->slot, pte;

	for (; (slot = engine_next_leaf(run, slot, &pte)) < run->stop; slot++) {
		struct npt_leaf leaf;

		run->npt->ops->decode(pte, engine_run_gpa(run, slot), run->level, &leaf);
		if (!visit->visit(&leaf, visit->context)) {
			run->ended = true;
			break;
		}
	}
}

enum err npt_walk(const struct npt *npt, gpa_t gpa, uint64_t size, npt_visitor visit, void *context)
{
	struct visit_arg arg = { .visit = visit, .context = context };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err != ERR_OK)
		return err;
	/* These runs change nothing. */
	return engine_run_all((struct npt *)(uintptr_t)npt, gpa.raw, gpa.raw + size, visit_run, &arg);
}
