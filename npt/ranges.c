/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on ranges: map, unmap, protect, clone, test-and-clear, walk. */
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
		run.shared = cursor.shared;
		run.value = 0;
		run.mask = ~UINT64_C(0);
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
		FOR_EACH_OF_GROUP(i)
		{
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
	uint64_t pte = engine_leaf(format, HPA(hpa), attr, level, npt->config.hardware_ad);
	uint64_t count = (min_u64(end, engine_table_end(npt, *gpa, level)) - *gpa) >> shift;
	struct npt_cursor cursor;

	if (engine_find(npt, *gpa, level, &cursor) != NPT_EMPTY)
		return ERR_EXISTS;
	if (__builtin_expect(cursor.shared, false)) {
		enum err err = npt_own_shared_table(npt, GPA(*gpa));

		if (err != ERR_OK)
			return err;
		engine_find(npt, *gpa, level, &cursor);
	}
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
	*npt->env->present(npt->env, cursor.table) += (uint32_t)(filled - done);
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

/* Clear the leaves from `slot` on that continue `pte` by `step`; returns the first entry that does not. */
static uint64_t *clear_alike(uint64_t *slot, const uint64_t *stop, uint64_t pte, uint64_t mask, uint64_t step)
{
	for (; is_group(slot, stop, pte, mask, step); slot += GROUP, pte += GROUP * step)
		FOR_EACH_OF_GROUP(i)
	pte_store(slot + i, 0);
	for (; slot < stop && ((pte_load(slot) ^ pte) & mask) == 0; slot++, pte += step)
		pte_store(slot, 0);
	return slot;
}

/* A shared table, all of which is in the range, is not the space's any more. */
static void unmap_shared(struct engine_run *run, struct npt_gather *gather)
{
	struct npt_cursor cursor;

	engine_find(run->npt, run->gpa, 1, &cursor);
	engine_leave_table(run->npt, run->gpa, cursor.slot, gather);
	if (--*run->npt->env->present(run->npt->env, cursor.table) == 0)
		engine_prune(run->npt, run->gpa, gather);
}

static void unmap_run(struct engine_run *run, void *arg)
{
	struct npt_gather *gather = arg;
	struct npt *npt = run->npt;
	uint64_t step = gather->leaves_gone ? engine_step(run->format, run->level) : 0;
	uint64_t *slot = run->slot, removed = 0, pte;
	uint32_t *present;

	if (run->shared)
		return unmap_shared(run, gather);
	while ((slot = engine_next_leaf(run, slot, &pte)) < run->stop) {
		uint64_t *const first = slot;
		uint64_t count, mask = run->mask;

		if (gather->leaves_gone) /* contiguous on the host, too */
			mask = ~run->format->hardware_ad_bits;
		slot = clear_alike(slot, run->stop, pte, mask, step);
		count = (uint64_t)(slot - first);
		removed += count;
		npt_gather_range(gather, engine_run_gpa(run, first), engine_run_gpa(run, slot));
		if (gather->leaves_gone)
			gather->leaves_gone(gather, engine_leaf_addr(run->format, pte, run->level), run->level, count);
	}
	if (removed == 0)
		return;
	present = npt->env->present(npt->env, run->table);
	npt->leaves[run->level] -= removed;
	*present -= (uint32_t)removed;
	if (*present == 0)
		engine_prune(npt, run->gpa, gather);
}

enum err npt_unmap(struct npt *npt, gpa_t gpa, uint64_t size, struct npt_gather *gather)
{
	enum err err = npt_split_at_boundaries(npt, gpa, size);

	return err == ERR_OK ? engine_run_all(npt, gpa.raw, gpa.raw + size, unmap_run, gather) : err;
}

/* --- Protect --- */

struct protect_arg {
	struct npt_gather *gather;
	unsigned prot;
};

static uint64_t protect_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned prot, bool hardware_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	attr.prot = (uint8_t)(attr.shared ? prot & NPT_RX : prot);
	return engine_set(format, pte, attr, engine_ad_bits(format, pte), hardware_ad);
}

/*
 * Change the leaves from `slot` on that are like the first one, which is `value`; returns where another one is. One instruction
 * does it, with no regard to the accessed and dirty bits that hardware sets meanwhile.
 */
static uint64_t *protect_alike(uint64_t *slot, const uint64_t *stop, uint64_t value, uint64_t mask, uint64_t delta)
{
	for (; is_group(slot, stop, value, mask, 0); slot += GROUP)
		FOR_EACH_OF_GROUP(i)
	__atomic_fetch_xor(slot + i, delta, __ATOMIC_ACQ_REL);
	for (; slot < stop && ((pte_load(slot) ^ value) & mask) == 0; slot++)
		__atomic_fetch_xor(slot, delta, __ATOMIC_ACQ_REL);
	return slot;
}

/* The same, with regard to them: those that differ by their address only. */
static uint64_t *protect_by_one(struct engine_run *run, uint64_t *slot, uint64_t value, unsigned prot)
{
	const uint64_t mask = ~engine_varying(run->format, run->level);
	struct engine_change change = { 0 };
	uint64_t pte = value;

	do {
		engine_change(run->format, slot, pte, run->level, &change, protect_leaf, prot, run->npt->config.hardware_ad);
	} while (++slot < run->stop && (((pte = pte_load(slot)) ^ value) & mask) == 0);
	return slot;
}

static void protect_run(struct engine_run *run, void *arg)
{
	const struct protect_arg *protect = arg;
	const struct npt_format *format = run->format;
	const bool hardware_ad = run->npt->config.hardware_ad;
	const uint64_t settable = hardware_ad ? format->hardware_ad_bits : 0;
	uint64_t *slot = run->slot, pte;

	while ((slot = engine_next_leaf(run, slot, &pte)) < run->stop) {
		uint64_t *const first = slot;
		uint64_t set = pte | settable, clear = pte & ~settable;
		uint64_t delta = protect_leaf(format, set, run->level, protect->prot, hardware_ad) ^ set;

		/* Stage 2's dirty state is the permission to write: there the change is not the same with and without it. */
		if (delta == (protect_leaf(format, clear, run->level, protect->prot, hardware_ad) ^ clear))
			slot = protect_alike(slot, run->stop, pte, ~engine_varying(format, run->level) & ~settable, delta);
		else
			slot = protect_by_one(run, slot, pte, protect->prot);
		if (!format->access_tracked(pte) && (engine_attr(format, pte, run->level).prot & ~protect->prot))
			npt_gather_range(protect->gather, engine_run_gpa(run, first), engine_run_gpa(run, slot));
	}
}

enum err npt_protect(struct npt *npt, gpa_t gpa, uint64_t size, unsigned prot, struct npt_gather *gather)
{
	struct protect_arg arg = { .gather = gather, .prot = prot };
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK)
		err = prot > NPT_RWX ? ERR_INVALID : npt_check(npt, (struct npt_attr){ .prot = (uint8_t)prot });
	if (err == ERR_OK)
		err = npt_split_at_boundaries(npt, gpa, size);
	if (err == ERR_OK)
		err = npt_own_tables(npt, gpa, size);
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

/* Make a leaf `shared`: two spaces map its memory from now on. */
static uint64_t clone_leaf(const struct npt_format *format, uint64_t pte, unsigned level, unsigned arg, bool hardware_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	(void)arg;
	attr.prot &= NPT_RX;
	attr.shared = true;
	return engine_set(format, pte, attr, engine_ad_bits(format, pte), hardware_ad);
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

/* Does clone_leaf take a permission from it that a CPU may have in its translations? */
static bool clone_narrows(const struct npt_format *format, uint64_t pte, unsigned level)
{
	return !format->access_tracked(pte) && (engine_attr(format, pte, level).prot & NPT_W);
}

/* What follows from an entry's bits is asked for once for entries side by side that differ in their addresses only. */
static void clone_run(struct engine_run *run, void *arg)
{
	const struct npt_format *format = run->format;
	const bool hardware_ad = run->npt->config.hardware_ad;
	const unsigned level = run->level;
	const uint64_t mask = ~engine_varying(format, level);
	const struct clone_arg *clone = arg;
	struct npt *child = clone->child;
	struct clone_target target = { .cursor.slot = NULL };
	struct engine_change change = { 0 };
	uint64_t *slot = run->slot, *to = NULL, pte, count = 0;
	uint64_t narrowed = UINT64_MAX, end = 0;
	bool narrows = false;
	enum err err = ERR_OK;

	for (; (slot = engine_next_leaf(run, slot, &pte)) < run->stop; slot++) {
		uint64_t gpa = engine_run_gpa(run, slot), there;

		if (!to)
			err = clone_target(child, gpa, level, &target);
		if (!to && err == ERR_OK)
			to = target.cursor.level == level ? target.cursor.slot - (slot - run->slot) : NULL;
		there = to ? pte_load(to + (slot - run->slot)) : 0;
		if (err == ERR_OK && there != 0 && format->kind(there, level) != NPT_EMPTY)
			err = ERR_EXISTS;
		if (err != ERR_OK)
			break;
		if (clone->share) {
			if ((pte ^ change.value) & mask)
				narrows = clone_narrows(format, pte, level);
			if (narrows) {
				narrowed = min_u64(narrowed, gpa);
				end = gpa + npt_level_size(level);
			}
			pte = engine_change(format, slot, pte, level, &change, clone_leaf, 0, hardware_ad);
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
		*child->env->present(child->env, target.cursor.table) += (uint32_t)count;
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
		.child = child,
		.gather = gather,
		.cloned = cloned,
		.context = context,
		.share = share,
	};
	enum err err = engine_check_range(npt, gpa.raw, size);

	return err == ERR_OK ? engine_run_all(npt, gpa.raw, gpa.raw + size, clone_run, &arg) : err;
}

/* --- Test and clear accessed and dirty bits --- */

struct test_and_clear_arg {
	struct npt_gather *gather;
	uint64_t *bitmap;
	uint64_t gpa, end;
	enum npt_ad bit;
};

/* Set the bits of the pages from `gpa` to before `end` that are in the range. */
static void report_pages(const struct test_and_clear_arg *test, uint64_t gpa, uint64_t end)
{
	uint64_t bit = (max_u64(gpa, test->gpa) - test->gpa) >> PAGE_SHIFT;
	uint64_t stop = (max_u64(min_u64(end, test->end), test->gpa) - test->gpa) >> PAGE_SHIFT;

	while (test->bitmap && bit < stop) { /* word by word */
		uint64_t count = min_u64(stop - bit, 64 - bit % 64);

		test->bitmap[bit / 64] |= (~UINT64_C(0) >> (64 - count)) << (bit % 64);
		bit += count;
	}
}

/* Clear the bit; where software sets it, also make the next access that should set it fault. */
static uint64_t clear_ad_bit(const struct npt_format *format, uint64_t pte, unsigned level, unsigned bit, bool hardware_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	if (!hardware_ad && bit == NPT_DIRTY)
		attr.prot &= NPT_RX;
	pte = engine_set(format, pte, attr, engine_ad_bits(format, pte) & ~bit, hardware_ad);
	return !hardware_ad && bit == NPT_ACCESSED ? format->track_access(pte) : pte;
}

static void test_and_clear_run(struct engine_run *run, void *arg)
{
	const struct npt_format *format = run->format;
	const unsigned level = run->level;
	const uint64_t mask = ~engine_varying(format, level);
	const struct test_and_clear_arg *test = arg;
	struct engine_change change = { 0 };
	uint64_t *slot = run->slot, pte, value = 0, taken = UINT64_MAX, taken_end = 0, reported = 0, reported_end = 0;
	bool set = false, access_tracked = false; /* is what is like `value` */

	for (; (slot = engine_next_leaf(run, slot, &pte)) < run->stop; slot++) {
		uint64_t gpa = engine_run_gpa(run, slot), end = gpa + npt_level_size(level);

		if ((pte ^ value) & mask) {
			value = pte;
			set = engine_ad_bits(format, pte) & test->bit;
			access_tracked = format->access_tracked(pte);
		}
		if (!set)
			continue;
		if (gpa != reported_end) {
			report_pages(test, reported, reported_end);
			reported = gpa;
		}
		reported_end = end;
		if (level > 0 && (gpa < test->gpa || end > test->end))
			continue;
		engine_change(format, slot, pte, level, &change, clear_ad_bit, test->bit, run->npt->config.hardware_ad);
		if (!access_tracked) {
			taken = min_u64(taken, gpa);
			taken_end = end;
		}
	}
	report_pages(test, reported, reported_end);
	npt_gather_range(test->gather, taken, taken_end);
}

enum err npt_test_and_clear(struct npt *npt, gpa_t gpa, uint64_t size, enum npt_ad bit, uint64_t *bitmap, struct npt_gather *gather)
{
	struct test_and_clear_arg arg = {
		.gather = gather,
		.bitmap = bitmap,
		.gpa = gpa.raw,
		.end = gpa.raw + size,
		.bit = bit,
	};
	enum err err = engine_check_range(npt, gpa.raw, size);

	if (err == ERR_OK)
		err = npt_own_tables(npt, gpa, size);
	return err == ERR_OK ? engine_run_all(npt, gpa.raw, gpa.raw + size, test_and_clear_run, &arg) : err;
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
