/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of pages that several spaces have: shared by a fork, and made a space's own again, or left. The entry of level 1 says that
 * the table is shared, and whether this space pays for it; how many spaces have it is counted with its present entries.
 *
 * While others have it, nobody writes to it but hardware, and npt_touch, which may set accessed bits. Who has it alone takes it: no
 * other space can get at it but by a fork of this one. Who leaves it first makes sure that no CPU of its own can reach it, for the
 * next one may be alone then, and change it.
 */
#include "npt/engine.h"
#include "npt/group.h"

#define LEVEL 1 /* of the entry that points to the table */

static hpa_t table_of(const struct npt *npt, const uint64_t *slot)
{
	return engine_table_addr(npt->ops->format, pte_load(slot));
}

/* How many leaves the table has. Other spaces may join it or leave it meanwhile, which is counted in the same word. */
static uint32_t leaves_in(const struct npt *npt, hpa_t table)
{
	return NPT_PRESENT(__atomic_load_n(npt->env->present(npt->env, table), __ATOMIC_RELAXED));
}

static bool pays(const struct npt *npt, const uint64_t *slot)
{
	return pte_load(slot) & npt->ops->format->table_paid;
}

/* --- Sharing --- */

/* A leaf as all spaces have it. */
static uint64_t share_leaf(const struct npt_format *format, uint64_t pte, unsigned level, bool hardware_ad)
{
	struct npt_attr attr = engine_attr(format, pte, level);

	attr.prot &= NPT_RX;
	attr.shared = true;
	return engine_set(format, pte, attr, engine_ad_bits(format, pte), hardware_ad);
}

/* Does it take a permission that a CPU may have in its translations? */
static bool narrows(const struct npt_format *format, uint64_t pte)
{
	return !format->access_tracked(pte) && (engine_attr(format, pte, 0).prot & NPT_W);
}

/* The change of one leaf, and of those that are like it but for their addresses; if it is free, also but for hardware's marks. */
static struct npt_change change_of(const struct npt *npt, uint64_t pte)
{
	const struct npt_format *format = npt->ops->format;
	const bool hardware_ad = npt->config.hardware_ad;
	const uint64_t marks = hardware_ad ? format->hardware_ad_bits : 0, varying = engine_varying(format, 0);
	struct npt_change change = {
		.value = pte,
		.mask = ~(varying | marks),
		.delta = share_leaf(format, pte | marks, 0, hardware_ad) ^ (pte | marks),
		.free = true,
		.narrows = narrows(format, pte),
	};

	/* Stage 2's dirty state is the permission to write: there the change is not the same with and without it. */
	if (marks != 0 && change.delta != (share_leaf(format, pte & ~marks, 0, hardware_ad) ^ (pte & ~marks))) {
		change.free = false;
		change.mask = ~varying;
		change.delta = share_leaf(format, pte, 0, hardware_ad) ^ pte;
	}
	return change;
}

static inline bool is_of(const struct npt_change *change, uint64_t pte)
{
	return ((pte ^ change->value) & change->mask) == 0 && change->value != 0;
}

/* The same, kept in mind: most leaves of a space are of one of two kinds, its own and those of files, side by side in any order. */
static const struct npt_change *known_change(struct npt *npt, uint64_t pte)
{
	if (is_of(&npt->changes[0], pte))
		return &npt->changes[0];
	if (!is_of(&npt->changes[1], pte)) {
		npt->changes[1] = npt->changes[0];
		npt->changes[0] = change_of(npt, pte);
		return &npt->changes[0];
	}
	return &npt->changes[1];
}

/* Change the leaf `pte` at `slot`, while hardware may set marks in it. */
static void change_one(const struct npt *npt, uint64_t *slot, uint64_t pte, const struct npt_change *change)
{
	struct npt_change now = *change;

	while (now.delta != 0 && !pte_replace(slot, &pte, pte ^ now.delta))
		now = change_of(npt, pte);
}

/* A group of leaves that nobody else changes, not even hardware, if they are alike. */
static inline bool change_group(uint64_t *slot, const uint64_t *stop, const struct npt_change *change)
{
	uint64_t pte[GROUP], differ = 0;

	if (stop - slot < GROUP)
		return false;
	FOR_EACH_OF_GROUP(i)
	{
		pte[i] = pte_load(slot + i);
		differ |= pte[i] ^ change->value;
	}
	if (differ & change->mask)
		return false;
	FOR_EACH_OF_GROUP(i)
	__atomic_store_n(slot + i, pte[i] ^ change->delta, __ATOMIC_RELAXED);
	return true;
}

/* The same while hardware may set marks. */
static inline bool change_marked_group(uint64_t *slot, const uint64_t *stop, const struct npt_change *change)
{
	if (!change->free || !is_group(slot, stop, change->value, change->mask, 0))
		return false;
	FOR_EACH_OF_GROUP(i)
	__atomic_fetch_xor(slot + i, change->delta, __ATOMIC_ACQ_REL);
	return true;
}

/* All from `slot` on that are like the first one; returns where another one is. */
static uint64_t *change_alike(const struct npt *npt, uint64_t *slot, const uint64_t *stop, const struct npt_change *change)
{
	if (npt->config.hardware_ad)
		while (change_marked_group(slot, stop, change))
			slot += GROUP;
	else
		while (change_group(slot, stop, change))
			slot += GROUP;
	for (; slot < stop && ((pte_load(slot) ^ change->value) & change->mask) == 0; slot++)
		if (change->free)
			__atomic_fetch_xor(slot, change->delta, __ATOMIC_ACQ_REL);
		else
			change_one(npt, slot, pte_load(slot), change);
	return slot;
}

/* Where those from `slot` on end whose leaves are alike, and whose pages lie side by side. */
static uint64_t *end_of_row(const struct npt *npt, uint64_t *slot, const uint64_t *stop, const struct npt_change *change)
{
	const uint64_t address = npt->page.address, step = PAGE_SIZE >> npt->page.shift, mask = change->mask | address;
	uint64_t next = (change->value & ~address) | (pte_load(slot) & address);

	do {
		slot++;
		next += step;
	} while (slot < stop && ((pte_load(slot) ^ next) & mask) == 0);
	return slot;
}

/* Tell of those that are shared already, row by row: many are of one file. Returns where another one is. */
static uint64_t *tell_alike(struct npt *npt, hpa_t table, uint64_t *slot, const uint64_t *stop, const struct npt_change *change)
{
	while (slot < stop && ((pte_load(slot) ^ change->value) & change->mask) == 0) {
		uint64_t *const first = slot;

		slot = end_of_row(npt, slot, stop, change);
		npt->env->sharing->pages(npt->env, table, engine_leaf_addr(npt->ops->format, pte_load(first), 0),
					 (uint64_t)(slot - first));
	}
	return slot;
}

/* Make all leaves of the table `shared`. */
static void share_leaves(struct npt *npt, hpa_t table, uint64_t gpa, struct npt_gather *gather)
{
	uint64_t *const first = engine_entries(npt, table);
	struct engine_run run = { .npt = npt, .format = npt->ops->format, .slot = first, .stop = first + NPT_ENTRIES, .gpa = gpa };
	uint64_t *slot = first, pte;

	run.mask = ~UINT64_C(0);
	while ((slot = engine_next_leaf(&run, slot, &pte)) < run.stop) {
		uint64_t *const start = slot;
		const struct npt_change change = *known_change(npt, pte);

		if (change.delta == 0) {
			slot = tell_alike(npt, table, slot, run.stop, &change);
			continue;
		}
		slot = change_alike(npt, slot, run.stop, &change);
		if (change.narrows)
			npt_gather_range(gather, engine_run_gpa(&run, start), engine_run_gpa(&run, slot));
	}
}

/* Let the child's entry of level 1 be `pte`. Errors: ERR_EXISTS, ERR_NO_MEMORY: nothing was changed. */
static enum err link_table(struct npt *child, uint64_t gpa, uint64_t pte)
{
	struct npt_cursor cursor;
	enum npt_kind kind = engine_find(child, gpa, LEVEL, &cursor);
	enum err err;

	if (kind != NPT_EMPTY)
		return ERR_EXISTS;
	if (cursor.level == LEVEL) {
		pte_store(cursor.slot, pte);
		++*child->env->present(child->env, cursor.table);
		return ERR_OK;
	}
	err = engine_map_below(child, cursor, gpa, LEVEL, pte);
	if (err == ERR_OK)
		child->leaves[LEVEL]--; /* it counts a leaf */
	return err;
}

enum err npt_share_table(struct npt *npt, struct npt *child, gpa_t gpa, struct npt_gather *gather)
{
	const struct npt_format *format = npt->ops->format;
	struct npt_cursor cursor;
	enum npt_kind kind = engine_find(npt, gpa.raw, LEVEL, &cursor);
	hpa_t table;
	enum err err;

	if ((kind != NPT_TABLE && kind != NPT_SHARED) || cursor.level != LEVEL)
		return ERR_NOT_FOUND;
	table = engine_table_addr(format, cursor.pte);
	if (kind == NPT_TABLE) {
		share_leaves(npt, table, gpa.raw, gather);
		pte_store(cursor.slot, (format->table(table) ^ format->table_shared) | format->table_paid);
		npt_walk_cache_invalidate(npt, gpa.raw, 0);
		npt->shared_tables++;
	}
	if (!npt->env->sharing->join(child->env, table))
		return ERR_RANGE;
	err = link_table(child, gpa.raw, format->table(table) ^ format->table_shared);
	if (err != ERR_OK) {
		npt->env->sharing->leave(child->env, table, false, false);
		return err;
	}
	child->leaves[0] += leaves_in(child, table);
	child->shared_tables++;
	return ERR_OK;
}

/* --- Making it the space's own --- */

/* `pte` points to another table with the same leaves; when this returns no CPU uses the old one. */
static void change_table(struct npt *npt, uint64_t gpa, uint64_t *slot, uint64_t pte)
{
	const uint64_t size = npt_level_size(LEVEL);

	if (npt->ops->format->break_before_make)
		pte_store(slot, 0);
	else
		pte_store(slot, pte);
	npt->env->flush(npt->env, GPA(align_down(gpa, size)), size);
	pte_store(slot, pte);
}

static enum err copy_table(struct npt *npt, uint64_t gpa, uint64_t *slot)
{
	struct npt_env *env = npt->env;
	const hpa_t from = table_of(npt, slot);
	const bool paid = pays(npt, slot);
	const uint64_t *old = engine_entries(npt, from);
	uint64_t *new;
	hpa_t to;
	enum err err = engine_alloc_tables(npt, &to, 1);

	if (err != ERR_OK)
		return err;
	new = engine_entries(npt, to);
	for (unsigned i = 0; i < NPT_ENTRIES; i++)
		new[i] = pte_load(old + i);
	*env->present(env, to) = leaves_in(npt, from);
	env->sharing->copy(env, from, to);
	change_table(npt, gpa, slot, npt->ops->format->table(to));
	env->sharing->leave(env, from, paid, true);
	npt->table_bytes -= paid ? PAGE_SIZE : 0;
	npt->shared_tables--;
	return ERR_OK;
}

/* Where the entry of level 1 around `gpa` is, if that is NPT_SHARED; else NULL. `*next` is where the next one may be. */
static uint64_t *find_shared(const struct npt *npt, uint64_t gpa, uint64_t *next)
{
	struct npt_cursor cursor;
	enum npt_kind kind;
	uint64_t size;

	*next = npt->end;
	if (gpa >= npt->end)
		return NULL;
	kind = engine_find(npt, gpa, LEVEL, &cursor);
	size = npt_level_size(cursor.level);
	*next = align_down(gpa, size) + size;
	return kind == NPT_SHARED ? cursor.slot : NULL;
}

static bool take_table(struct npt *npt, uint64_t *slot)
{
	const hpa_t table = table_of(npt, slot);
	const bool paid = pays(npt, slot);

	if (!npt->env->sharing->take(npt->env, table, paid))
		return false;
	npt->table_bytes += paid ? 0 : PAGE_SIZE;
	npt->shared_tables--;
	pte_store(slot, npt->ops->format->table(table));
	return true;
}

bool npt_take_shared_table(struct npt *npt, gpa_t gpa)
{
	uint64_t next, *slot = find_shared(npt, gpa.raw, &next);

	return !slot || take_table(npt, slot);
}

static enum err own_table(struct npt *npt, uint64_t gpa, uint64_t *next)
{
	uint64_t *slot = find_shared(npt, gpa, next);

	return !slot || take_table(npt, slot) ? ERR_OK : copy_table(npt, gpa, slot);
}

enum err npt_own_shared_table(struct npt *npt, gpa_t gpa)
{
	uint64_t next;

	return own_table(npt, gpa.raw, &next);
}

enum err npt_own_shared_tables(struct npt *npt, gpa_t gpa, uint64_t size)
{
	const uint64_t end = gpa.raw + size;
	enum err err = ERR_OK;

	for (uint64_t at = gpa.raw, next; err == ERR_OK && at < end; at = next)
		err = own_table(npt, at, &next);
	return err;
}

enum err npt_own_shared_ends(struct npt *npt, gpa_t gpa, uint64_t size)
{
	const uint64_t edges[] = { gpa.raw, gpa.raw + size };
	enum err err = ERR_OK;

	for (unsigned i = 0; err == ERR_OK && i < ARRAY_LEN(edges); i++)
		if (!is_aligned(edges[i], npt_level_size(LEVEL)))
			err = npt_own_shared_table(npt, GPA(edges[i]));
	return err;
}

/* --- Leaving --- */

/* What the space counts for the table: no longer. */
static void uncount(struct npt *npt, hpa_t table, bool paid)
{
	npt->leaves[0] -= leaves_in(npt, table);
	npt->table_bytes -= paid ? PAGE_SIZE : 0;
	npt->shared_tables--;
}

void engine_leave_table(struct npt *npt, uint64_t gpa, uint64_t *slot, struct npt_gather *gather)
{
	const hpa_t table = table_of(npt, slot);
	const bool paid = pays(npt, slot);
	const uint64_t start = align_down(gpa, npt_level_size(LEVEL));

	if (gather->left_count == NPT_GATHER_LEFT)
		npt_gather_flush(gather);
	uncount(npt, table, paid);
	pte_store(slot, 0);
	gather->left[gather->left_count++] = table.raw | paid;
	gather->left_sum++;
	npt_gather_range(gather, start, start + npt_level_size(LEVEL));
}

void engine_forget_table(struct npt *npt, uint64_t *slot)
{
	const hpa_t table = table_of(npt, slot);
	const bool paid = pays(npt, slot);

	uncount(npt, table, paid);
	npt->env->sharing->leave(npt->env, table, paid, false);
}

/* --- What it maps --- */

void npt_visit_pages(const struct npt *npt, hpa_t table, npt_run_visitor visit, void *context)
{
	const struct npt_format *format = npt->ops->format;
	const uint64_t step = engine_step(format, 0);
	uint64_t *slot = engine_entries(npt, table), pte;
	/* Never changed here. */
	struct engine_run run = { .npt = (struct npt *)(uintptr_t)npt, .format = format, .slot = slot, .stop = slot + NPT_ENTRIES };

	run.mask = ~UINT64_C(0);
	while ((slot = engine_next_leaf(&run, slot, &pte)) < run.stop) {
		uint64_t *const first = slot;
		const uint64_t mask = engine_varying(format, 0) | (pte & format->page.value);
		uint64_t next = pte;

		/* Only the addresses count: but an empty entry, or one that is malformed, must not look like the next page. */
		for (; is_group(slot, run.stop, next, mask, step); next += GROUP * step)
			slot += GROUP;
		for (; slot < run.stop && ((pte_load(slot) ^ next) & mask) == 0; next += step)
			slot++;
		visit(engine_leaf_addr(format, pte, 0), (uint64_t)(slot - first), context);
	}
}
