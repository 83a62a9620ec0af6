/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/view.h. */
#include "tests/host/view.h"

#include <stdlib.h>
#include <string.h>

#include "npt/format.h"
#include "npt/pages.h"
#include "npt/share.h"

static void scan_table(const struct view *view, uint64_t table, unsigned level, unsigned bits, uint64_t gpa, unsigned prot,
		       view_visitor visit, void *context)
{
	const struct oracle_machine *m = &view->machine;

	for (uint64_t i = 0; i < UINT64_C(1) << bits; i++) {
		struct view_entry entry = { .level = level, .slot = table + 8 * i };

		entry.pte = m->load(m->memory, entry.slot);
		if (entry.pte == 0)
			continue;
		entry.gpa = gpa + (i << (12 + 9 * level));
		view->oracle->decode(m, entry.pte, level, &entry.is);
		entry.prot = prot & entry.is.prot;
		visit(&entry, context);
		if (entry.is.kind == ORACLE_TABLE)
			scan_table(view, entry.is.addr, level - 1, 9, entry.gpa, entry.prot, visit, context);
	}
}

void view_scan(const struct view *view, view_visitor visit, void *context)
{
	const struct oracle_machine *m = &view->machine;

	scan_table(view, m->root, m->levels - 1, view->oracle->root_bits(m), 0, NPT_RWX, visit, context);
}

bool view_is_shared(const struct view *view, const struct view_entry *entry)
{
	return entry->is.kind == ORACLE_TABLE && view->npt->ops->format->kind(entry->pte, entry->level) == NPT_SHARED;
}

bool view_pays_for(const struct view *view, const struct view_entry *entry)
{
	return !view_is_shared(view, entry) || (entry->pte & view->npt->ops->format->table_paid);
}

struct oracle_walk view_walk(const struct view *view, uint64_t gpa, unsigned access)
{
	struct oracle_walk walk;

	view->oracle->walk(&view->machine, gpa, access, false, &walk);
	return walk;
}

void view_touch(const struct view *view, uint64_t gpa, unsigned access)
{
	struct oracle_walk walk;

	view->oracle->walk(&view->machine, gpa, access, true, &walk);
	CHECK(walk.status == ORACLE_OK, "touching %#jx", (uintmax_t)gpa);
}

/* Counts while scanning, and checks each leaf against the engine's own words. */
struct census {
	const struct view *view;
	struct npt_env *present;
	uint64_t tables, shared, leaves[NPT_LEAF_LEVELS];
	unsigned filled[ORACLE_MAX_DEPTH + 1]; /* entries met in the table being scanned, by level */
	uint64_t table[ORACLE_MAX_DEPTH + 1];  /* that table */
};

static void close_table(struct census *census, unsigned level)
{
	uint64_t table = census->table[level];

	if (table == 0)
		return;
	CHECK(census->filled[level] > 0, "an empty table of level %u", level);
	if (census->present)
		CHECK_EQ(NPT_PRESENT(*census->present->present(census->present, HPA(table))), census->filled[level]);
	census->table[level] = 0;
}

static void check_leaf(const struct view *view, const struct view_entry *entry)
{
	const struct npt *npt = view->npt;
	struct npt_leaf leaf;
	hpa_t hpa;
	uint64_t last = npt_level_size(entry->level) - 1;

	CHECK_ERR(npt_query(npt, GPA(entry->gpa + last), &leaf), ERR_OK);
	CHECK_EQ(leaf.gpa.raw, entry->gpa);
	CHECK_EQ(leaf.hpa.raw, entry->is.addr);
	CHECK_EQ(leaf.level, entry->level);
	CHECK_EQ(leaf.attr.prot, entry->prot);
	CHECK_EQ(leaf.attr.memtype, entry->is.type);
	CHECK_EQ(leaf.accessed, entry->is.accessed);
	CHECK(!leaf.access_tracked, "hidden, but not from hardware, at %#jx", (uintmax_t)entry->gpa);
	CHECK(!leaf.attr.shared || !(entry->prot & ORACLE_W), "shared and writable at %#jx", (uintmax_t)entry->gpa);
	CHECK(leaf.dirty || !entry->is.dirty, "dirty for hardware, but not for npt_query, at %#jx", (uintmax_t)entry->gpa);
	CHECK_ERR(npt_translate(npt, npt->cache, GPA(entry->gpa + last), &hpa), ERR_OK);
	CHECK_EQ(hpa.raw, entry->is.addr + last);
}

/* What hardware takes for nothing must be a leaf that waits to be accessed, and no marks but software's can do that. */
static void check_hidden(const struct view *view, const struct view_entry *entry)
{
	struct npt_leaf leaf;

	CHECK(!view->machine.hardware_ad, "entry %#jx of level %u for %#jx is hidden", (uintmax_t)entry->pte, entry->level,
	      (uintmax_t)entry->gpa);
	CHECK_ERR(npt_query(view->npt, GPA(entry->gpa), &leaf), ERR_OK);
	CHECK(leaf.access_tracked && !leaf.accessed && leaf.gpa.raw == entry->gpa && leaf.level == entry->level,
	      "entry %#jx of level %u for %#jx", (uintmax_t)entry->pte, entry->level, (uintmax_t)entry->gpa);
	CHECK(!leaf.attr.shared || !(leaf.attr.prot & NPT_W), "shared and writable");
}

static void census_entry(const struct view_entry *entry, void *context)
{
	struct census *census = context;
	unsigned level = entry->level;

	for (unsigned below = 0; below < level; below++)
		close_table(census, below);
	census->filled[level]++;
	if (entry->is.kind == ORACLE_EMPTY) {
		check_hidden(census->view, entry);
		census->leaves[level]++;
		return;
	}
	CHECK(entry->is.kind == ORACLE_TABLE || entry->is.kind == ORACLE_LEAF,
	      "entry %#jx of level %u for %#jx is neither table nor leaf", (uintmax_t)entry->pte, level, (uintmax_t)entry->gpa);
	CHECK(!entry->is.odd, "entry %#jx of level %u for %#jx has a reserved bit", (uintmax_t)entry->pte, level,
	      (uintmax_t)entry->gpa);
	if (entry->is.kind == ORACLE_TABLE) {
		census->tables += view_pays_for(census->view, entry);
		census->shared += view_is_shared(census->view, entry);
		census->table[level - 1] = entry->is.addr;
		census->filled[level - 1] = 0;
		return;
	}
	CHECK(level <= census->view->machine.max_leaf, "a leaf of level %u", level);
	census->leaves[level]++;
	check_leaf(census->view, entry);
}

/* npt_walk must name the same leaves, in order. */
struct recount {
	const struct view *view;
	uint64_t leaves[NPT_LEAF_LEVELS], next;
};

static bool recount_leaf(const struct npt_leaf *leaf, void *context)
{
	struct recount *recount = context;
	struct oracle_walk walk = view_walk(recount->view, leaf->gpa.raw, 0);

	CHECK(leaf->gpa.raw >= recount->next, "npt_walk goes back to %#jx", (uintmax_t)leaf->gpa.raw);
	recount->next = leaf->gpa.raw + npt_level_size(leaf->level);
	CHECK_EQ(walk.level, leaf->level);
	if (leaf->access_tracked) {
		CHECK_EQ(walk.status, ORACLE_NOT_PRESENT);
	} else {
		CHECK_EQ(walk.hpa, leaf->hpa.raw);
		CHECK_EQ(walk.prot, leaf->attr.prot);
	}
	recount->leaves[leaf->level]++;
	return true;
}

/* A cached leaf is where a walk of its block passes; if it is still what it was, it is right. */
static void check_known_leaf(const struct view *view, const struct npt_walk_cache *cache, unsigned i)
{
	uint64_t gpa = ~cache->block[i] << NPT_BLOCK_SHIFT;
	struct oracle_walk walk = view_walk(view, gpa, 0);

	for (unsigned depth = 0; depth < walk.depth; depth++) {
		if (cache->slot[i] != walk.slots[depth] + view->npt->env->phys_to_virt)
			continue;
		if (walk.status == ORACLE_OK && cache->of[i].leaf == *(const uint64_t *)cache->slot[i])
			CHECK(walk.hpa == gpa + cache->fresh_entry[i], "the leaf at %#jx maps something else", (uintmax_t)gpa);
		return;
	}
	CHECK(false, "the leaf at %#jx is in no table", (uintmax_t)gpa);
}

/* The tables that a walk cache has must be those that the hardware would come to. */
static void check_cache(const struct view *view, const struct npt_walk_cache *cache)
{
	const struct npt *npt = view->npt;

	for (unsigned i = 0; i < NPT_WALK_CACHE_SIZE; i++) {
		uint64_t gpa = cache->block[i] << NPT_BLOCK_SHIFT;
		struct oracle_walk walk;

		if (cache->block[i] > NPT_WALK_CACHE_NONE && ~cache->block[i] % NPT_WALK_CACHE_SIZE == i)
			check_known_leaf(view, cache, i);
		if (cache->block[i] >= NPT_WALK_CACHE_NONE || cache->block[i] % NPT_WALK_CACHE_SIZE != i)
			continue; /* no address leads here */
		walk = view_walk(view, gpa, 0);
		CHECK(walk.depth == view->machine.levels && (uintptr_t)npt_walk_cache_lookup(cache, GPA(gpa)) ==
								    walk.slots[walk.depth - 1] + npt->env->phys_to_virt,
		      "the table of %#jx is another one", (uintmax_t)gpa);
		CHECK(cache->of[i].present == npt->env->present(npt->env, HPA(walk.slots[walk.depth - 1])),
		      "another table's counter");
		CHECK(*cache->of[i].present < NPT_SHARER, "a shared table is known at %#jx", (uintmax_t)gpa);
	}
}

void view_check(const struct view *view, struct npt_env *present)
{
	const struct npt *npt = view->npt;
	struct census census = { .view = view, .present = present };
	struct recount recount = { .view = view };
	unsigned root = view->machine.levels - 1;

	if (view->settle)
		view->settle(view->machine.memory);
	census.table[root] = view->machine.root;
	view_scan(view, census_entry, &census);
	for (unsigned level = 0; level < root; level++)
		close_table(&census, level);
	if (present)
		CHECK_EQ(*present->present(present, HPA(view->machine.root)), census.filled[root]);
	CHECK_EQ(npt->table_bytes, (census.tables << 12) + (PAGE_SIZE << npt->root_order));
	CHECK_ERR(npt_walk(npt, GPA(0), BIT(npt->config.gpa_bits), recount_leaf, &recount), ERR_OK);
	for (unsigned level = 0; level < NPT_LEAF_LEVELS; level++) {
		CHECK_EQ(npt_leaves(npt, level), census.leaves[level]);
		CHECK_EQ(recount.leaves[level], census.leaves[level]);
	}
	CHECK_EQ(npt->shared_tables, census.shared);
	for (const struct npt_walk_cache *cache = npt->cache; cache; cache = cache->next)
		check_cache(view, cache);
}

static void image_entry(const struct view_entry *entry, void *context)
{
	struct image *image = context;

	if (image->count == image->room) {
		image->room = 2 * image->room + 64;
		image->entries = realloc(image->entries, image->room * sizeof(*image->entries));
		assert_non_null(image->entries);
	}
	image->entries[image->count++] = (struct image_entry){
		.gpa = entry->gpa,
		.level = entry->level,
		.pte = entry->is.kind == ORACLE_TABLE ? 0 : entry->pte,
	};
}

void image_take(struct image *image, const struct view *view)
{
	if (view->settle)
		view->settle(view->machine.memory);
	*image = (struct image){ .table_bytes = view->npt->table_bytes };
	for (unsigned level = 0; level < NPT_LEAF_LEVELS; level++)
		image->leaves[level] = npt_leaves(view->npt, level);
	view_scan(view, image_entry, image);
}

void image_expect(struct image *image, const struct view *view, const char *when)
{
	struct image now;

	image_take(&now, view);
	for (size_t i = 0; i < image->count && i < now.count; i++) {
		const struct image_entry *a = &image->entries[i], *b = &now.entries[i];

		CHECK(a->gpa == b->gpa && a->level == b->level && a->pte == b->pte,
		      "%s: %#jx level %u entry %#jx became %#jx level %u entry %#jx", when, (uintmax_t)a->gpa, a->level,
		      (uintmax_t)a->pte, (uintmax_t)b->gpa, b->level, (uintmax_t)b->pte);
	}
	CHECK(image->count == now.count, "%s: %zu entries became %zu", when, image->count, now.count);
	CHECK(image->table_bytes == now.table_bytes, "%s: table_bytes %ju became %ju", when, (uintmax_t)image->table_bytes,
	      (uintmax_t)now.table_bytes);
	for (unsigned level = 0; level < NPT_LEAF_LEVELS; level++)
		CHECK(image->leaves[level] == now.leaves[level], "%s: leaves[%u]", when, level);
	image_drop(&now);
	image_drop(image);
}

void image_drop(struct image *image)
{
	free(image->entries);
	image->entries = NULL;
}
