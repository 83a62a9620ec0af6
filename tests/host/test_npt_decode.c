/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any 64 bits may stand in an entry: the engine must read them as the hardware does, refuse what the hardware refuses,
 * and never touch what it cannot read. Patterns are written into real tables and every operation is tried on them.
 */
#include <string.h>

#include "npt/pages.h"
#include "npt/format.h"
#include "tests/host/fixture.h"

#define NEAR GIB(1) /* a page is mapped here, so that tables are there at every level */

struct probe {
	struct fixture *f;
	struct view view; /* a machine with every ability: the engine's decoding does not ask for it */
	unsigned level;
	uint64_t slot, table, gpa; /* an empty entry of that level */
	uint64_t pte;
	uint64_t below;         /* the table that the entry points to, if it is one */
	struct oracle_entry is; /* the hardware's opinion; of an access-tracked leaf, about what it hides */
	bool access_tracked;    /* hardware sees nothing here */
	enum npt_kind kind;     /* the engine's opinion */
};

static uint64_t *raw(const struct fixture *f, uint64_t hpa)
{
	return arena_at(&f->arena, hpa);
}

/* The entry next to the one that leads to NEAR; false when the root has but that one. */
static bool choose_slot(struct probe *probe, unsigned level)
{
	struct oracle_walk walk = view_walk(&probe->f->view, NEAR, 0);
	uint64_t size = npt_level_size(level);

	probe->level = level;
	probe->gpa = align_down(NEAR, size) + size;
	probe->slot = walk.slots[probe->f->npt.config.levels - 1 - level] + 8;
	if (probe->gpa >= BIT(probe->f->npt.config.gpa_bits)) {
		if (probe->gpa < 2 * size)
			return false;
		probe->gpa -= 2 * size;
		probe->slot -= 16;
	}
	probe->table = align_down(probe->slot, PAGE_SIZE);
	if (level == probe->f->npt.config.levels - 1u)
		probe->table = probe->f->npt.root.raw;
	CHECK_EQ(*raw(probe->f, probe->slot), 0);
	return true;
}

/* A table with one page in it, for patterns that turn out to point to one. */
static void make_table_below(struct probe *probe)
{
	struct fixture *f = probe->f;
	struct oracle_walk walk = view_walk(&f->view, NEAR, 0);
	hpa_t table;

	CHECK_ERR(f->env.alloc_table(&f->env, 0, &table), ERR_OK);
	/* Whatever is at NEAR on the level below fits: a page, or a table that leads to one. */
	if (probe->level == 1) {
		*raw(f, table.raw) = walk.ptes[walk.depth - 1];
		f->npt.leaves[0]++;
		*f->env.present(&f->env, table) = 1;
	}
	probe->below = table.raw;
	f->npt.table_bytes += PAGE_SIZE;
}

static void drop_table_below(struct probe *probe)
{
	struct fixture *f = probe->f;

	if (probe->below == 0)
		return;
	if (probe->level == 1)
		f->npt.leaves[0]--;
	f->npt.table_bytes -= PAGE_SIZE;
	f->env.free_table(&f->env, HPA(probe->below), 0);
	probe->below = 0;
}

static void decode(struct probe *probe, uint64_t pte)
{
	uint64_t untracked;

	probe->access_tracked = format_untracked(probe->f->format, pte, &untracked);
	probe->view.oracle->decode(&probe->view.machine, probe->access_tracked ? untracked : pte, probe->level, &probe->is);
	if (probe->access_tracked && probe->is.kind != ORACLE_LEAF)
		probe->is.kind = ORACLE_MALFORMED;
}

/* Put the pattern in place, an address of ours in what is not a leaf: the engine may not check where a table is. */
static void plant(struct probe *probe, uint64_t pte)
{
	struct fixture *f = probe->f;
	const struct format_case *format = f->format;

	decode(probe, pte);
	if (probe->level > 0 && probe->is.kind != ORACLE_LEAF) {
		make_table_below(probe);
		pte = (pte & ~format->address) | probe->below >> format->address_shift;
		decode(probe, pte);
		if (probe->is.kind != ORACLE_TABLE)
			drop_table_below(probe);
		if (probe->is.kind != ORACLE_TABLE && probe->is.kind != ORACLE_LEAF)
			pte = (pte & ~format->address) | (probe->table & ~(PAGE_SIZE - 1)) >> format->address_shift;
	}
	/* A table that spaces share is nobody's to unmap: tests/host/space.c looks at those. */
	if (f->npt.ops->format->kind(pte, probe->level) == NPT_SHARED)
		pte &= ~f->npt.ops->format->table_shared;
	probe->pte = pte;
	decode(probe, pte);
	*raw(f, probe->slot) = pte;
}

static void account(struct probe *probe, int sign)
{
	struct fixture *f = probe->f;
	uint32_t *present = f->env.present(&f->env, HPA(probe->table));

	if (probe->kind != NPT_EMPTY)
		*present += (uint32_t)sign;
	if (probe->kind == NPT_LEAF)
		f->npt.leaves[probe->level] += (uint64_t)sign;
}

static enum npt_kind engine_kind(struct probe *probe)
{
	struct npt_cursor cursor;
	enum npt_kind kind = npt_find(&probe->f->npt, GPA(probe->gpa), &cursor);

	return cursor.level < probe->level ? NPT_TABLE : kind;
}

static void check_kind(const struct probe *probe)
{
	bool odd = probe->is.odd || probe->is.type == ORACLE_OTHER || probe->is.prot == 0;
	bool agree = false;

	switch (probe->is.kind) {
	case ORACLE_LEAF:
		agree = probe->kind == NPT_LEAF || (odd && probe->kind == NPT_MALFORMED);
		break;
	case ORACLE_TABLE:
		agree = probe->kind == NPT_TABLE || (odd && probe->kind == NPT_MALFORMED);
		break;
	case ORACLE_EMPTY:
	case ORACLE_MALFORMED:
		agree = probe->kind == NPT_EMPTY || probe->kind == NPT_MALFORMED;
		break;
	}
	CHECK(agree, "entry %#jx of level %u is kind %d to the hardware and %d to the engine", (uintmax_t)probe->pte, probe->level,
	      (int)probe->is.kind, (int)probe->kind);
	/* What the hardware refuses must not be taken for free room. */
	CHECK(probe->is.kind != ORACLE_MALFORMED || probe->kind == NPT_MALFORMED, "entry %#jx of level %u is empty?",
	      (uintmax_t)probe->pte, probe->level);
}

static void check_leaf(const struct probe *probe, unsigned prot, bool exactly)
{
	struct npt_leaf leaf;
	hpa_t hpa;
	uint64_t last = npt_level_size(probe->level) - 1;

	CHECK_ERR(npt_query(&probe->f->npt, GPA(probe->gpa + last), &leaf), ERR_OK);
	CHECK_EQ(leaf.gpa.raw, probe->gpa);
	CHECK_EQ(leaf.level, probe->level);
	CHECK_ERR(npt_translate(&probe->f->npt, probe->f->npt.cache, GPA(probe->gpa + last), &hpa), ERR_OK);
	if (!exactly)
		return;
	CHECK_EQ(leaf.hpa.raw, probe->is.addr);
	CHECK_EQ(leaf.attr.prot, prot);
	CHECK_EQ(leaf.attr.memtype, probe->is.type);
	CHECK_EQ(leaf.attr.shared, probe->pte >> probe->f->format->shared_bit & 1);
	CHECK_EQ(leaf.access_tracked, probe->access_tracked);
	CHECK_EQ(leaf.accessed, probe->is.accessed && !probe->access_tracked);
	CHECK(leaf.dirty || !probe->is.dirty, "dirty lost");
	CHECK_EQ(hpa.raw, probe->is.addr + last);
}

static bool count_leaf(const struct npt_leaf *leaf, void *context)
{
	(void)leaf;
	++*(unsigned *)context;
	return true;
}

/* Reading the entry in every way there is. */
static void read_entry(const struct probe *probe)
{
	const struct npt *npt = &probe->f->npt;
	bool exactly = !probe->is.odd && probe->is.type != ORACLE_OTHER;
	enum err walked, queried;
	struct npt_leaf leaf;
	unsigned count = 0;
	hpa_t hpa;

	walked = npt_walk(npt, GPA(probe->gpa), npt_level_size(probe->level), count_leaf, &count);
	CHECK_ERR(walked, probe->kind == NPT_MALFORMED ? ERR_CORRUPT : ERR_OK);
	queried = npt_query(npt, GPA(probe->gpa), &leaf);
	CHECK_ERR(npt_translate(npt, npt->cache, GPA(probe->gpa), &hpa), queried);
	switch (probe->kind) {
	case NPT_LEAF:
		CHECK_EQ(count, 1);
		check_leaf(probe, probe->is.prot, exactly);
		break;
	case NPT_TABLE:
	case NPT_SHARED:
		CHECK_EQ(count, probe->level == 1 ? 1 : 0);
		break;
	case NPT_EMPTY:
		CHECK_EQ(count, 0);
		CHECK_ERR(queried, ERR_NOT_FOUND);
		break;
	case NPT_MALFORMED:
		CHECK_EQ(count, 0);
		CHECK_ERR(queried, ERR_CORRUPT);
		break;
	}
}

static void map_over_entry(const struct probe *probe)
{
	struct npt *npt = &probe->f->npt;
	const struct npt_attr attr = { .prot = NPT_R, .memtype = NPT_WB };

	if (probe->kind == NPT_EMPTY)
		return;
	/* A table may have room for a page. */
	if (probe->kind != NPT_TABLE)
		CHECK_ERR(npt_map(npt, GPA(probe->gpa), HPA(0), PAGE_SIZE, attr), ERR_EXISTS);
	if (probe->level <= npt->config.max_leaf)
		CHECK_ERR(npt_map(npt, GPA(probe->gpa), HPA(0), npt_level_size(probe->level), attr), ERR_EXISTS);
	CHECK_EQ(*raw(probe->f, probe->slot), probe->pte);
}

static void protect_entry(const struct probe *probe)
{
	struct npt *npt = &probe->f->npt;
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, npt);
	err = npt_protect(npt, GPA(probe->gpa), npt_level_size(probe->level), NPT_R, &gather);
	npt_gather_finish(&gather);
	CHECK_ERR(err, probe->kind == NPT_MALFORMED ? ERR_CORRUPT : ERR_OK);
	if (probe->kind == NPT_LEAF)
		check_leaf(probe, NPT_R, !probe->is.odd && probe->is.type != ORACLE_OTHER && probe->is.prot != 0);
	else
		CHECK_EQ(*raw(probe->f, probe->slot), probe->pte);
}

/* Children of a leaf with arbitrary ignored bits mean what it meant. */
static void split_entry(const struct probe *probe)
{
	struct npt *npt = &probe->f->npt;
	uint64_t below, middle;

	if (probe->kind != NPT_LEAF || probe->level == 0 || probe->is.odd)
		return;
	below = npt_level_size(probe->level - 1);
	CHECK_ERR(npt_split(npt, GPA(probe->gpa), probe->level - 1), ERR_OK);
	middle = 300 * below;
	for (uint64_t at = 0; at <= middle; at += middle) {
		struct oracle_walk walk = view_walk(&probe->view, probe->gpa + at, 0);
		uint64_t pte = walk.ptes[walk.depth - 1], untracked;
		struct oracle_entry is;

		CHECK_EQ(format_untracked(probe->f->format, pte, &untracked), probe->access_tracked);
		probe->view.oracle->decode(&probe->view.machine, probe->access_tracked ? untracked : pte, walk.level, &is);
		CHECK(walk.level == probe->level - 1 && is.kind == ORACLE_LEAF && is.addr == probe->is.addr + at &&
			      is.prot == NPT_R && is.type == probe->is.type,
		      "child %#jx of %#jx, level %u", (uintmax_t)pte, (uintmax_t)probe->pte, probe->level);
	}
}

static void unmap_entry(const struct probe *probe)
{
	struct npt *npt = &probe->f->npt;
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, npt);
	err = npt_unmap(npt, GPA(probe->gpa), npt_level_size(probe->level), &gather);
	npt_gather_finish(&gather);
	CHECK_ERR(err, probe->kind == NPT_MALFORMED ? ERR_CORRUPT : ERR_OK);
	if (probe->kind == NPT_MALFORMED || probe->kind == NPT_EMPTY)
		CHECK_EQ(*raw(probe->f, probe->slot), probe->pte);
	else if (probe->kind == NPT_LEAF || probe->level == 1)
		CHECK_EQ(*raw(probe->f, probe->slot), 0);
}

static void try_pattern(struct probe *probe, uint64_t pte)
{
	struct fixture *f = probe->f;
	struct image image;

	fixture_forget_events(f);
	image_take(&image, &f->view);
	plant(probe, pte);
	probe->kind = engine_kind(probe);
	check_kind(probe);
	account(probe, 1);
	read_entry(probe);
	map_over_entry(probe);
	protect_entry(probe);
	if (probe->is.prot != 0)
		split_entry(probe);
	unmap_entry(probe);
	/* Clear away what an unmap leaves: malformed entries, tables that were never filled. */
	if (probe->kind == NPT_MALFORMED)
		account(probe, -1);
	if (probe->kind == NPT_TABLE && probe->level > 1) {
		*f->env.present(&f->env, HPA(probe->table)) -= 1;
		drop_table_below(probe);
	}
	probe->below = 0;
	*raw(f, probe->slot) = 0;
	/* What was planted was none of the engine's doing, and so is its end. */
	for (unsigned i = 0; i < NPT_WALK_CACHE_SIZE; i++)
		f->cache.block[i] = NPT_WALK_CACHE_NONE;
	image_expect(&image, &f->view, "after a pattern");
	CHECK_EQ(f->taken, f->npt.table_bytes);
}

/* Patterns worth a try at any level: near to what is valid, where a slip would be. */
static void try_patterns(struct probe *probe, struct host_rng *rng, unsigned random)
{
	struct fixture *f = probe->f;
	struct oracle_walk page = view_walk(&f->view, NEAR, 0);
	uint64_t table = page.ptes[f->npt.config.levels - 2], leaf = page.ptes[page.depth - 1];

	for (unsigned bit = 0; bit < 64; bit++) {
		try_pattern(probe, BIT(bit));
		try_pattern(probe, ~BIT(bit));
		try_pattern(probe, table ^ BIT(bit));
		try_pattern(probe, (leaf & ~f->format->address) ^ BIT(bit));
		try_pattern(probe, (leaf & ~f->format->address) ^ BIT(7) ^ BIT(bit)); /* x86: a large leaf */
		try_pattern(probe, (leaf & ~f->format->address) ^ BIT(1) ^ BIT(bit)); /* Arm: a block */
	}
	try_pattern(probe, 0);
	try_pattern(probe, UINT64_MAX);
	for (unsigned i = 0; i < random; i++) {
		uint64_t pte = host_random(rng);

		if (host_chance(rng, 50)) /* aligned well enough for a large leaf */
			pte &= ~(f->format->address & (BITS(29, 12) >> f->format->address_shift));
		if (host_chance(rng, 50)) /* no high bits that are reserved somewhere */
			pte &= BITS(47, 0);
		if (host_chance(rng, 80))
			pte |= 1;
		try_pattern(probe, pte);
	}
}

static void all_patterns_decode(void **state)
{
	struct fixture *f = *state;
	struct host_rng rng = host_rng("patterns", 0x6e657374);
	struct probe probe = { .f = f, .view = f->view };

	probe.view.machine.hpa_bits = f->view.oracle == &oracle_riscv ? 56 : f->format->address == BITS(47, 12) ? 48 : 52;
	probe.view.machine.exec_only = true;
	probe.view.machine.svpbmt = true;
	probe.view.machine.max_leaf = 2;
	probe.view.machine.hardware_ad = true;
	CHECK_ERR(fixture_map(f, NEAR, MIB(64), PAGE_SIZE, NPT_RW), ERR_OK);
	f->watched = false;
	for (unsigned level = 0; level < f->npt.config.levels; level++) {
		if (choose_slot(&probe, level))
			try_patterns(&probe, &rng, host_steps(200));
	}
	fixture_check(f);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "all_patterns_decode", all_patterns_decode },
	};

	return format_suite("npt_decode", tests, ARRAY_LEN(tests));
}
