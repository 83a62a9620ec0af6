/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables with any bit patterns in them. Input: a byte that chooses the format and who keeps the accessed and dirty bits, then
 * what is drawn from: some leaves, patterns in entries of any level, and operations, some of which get no memory. Each pattern is
 * read as the oracle reads it, no operation says or does more than it may, and no table is lost.
 */
#include "npt/format.h"
#include "npt/pages.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/fixture.h"

#define AREA     (GIB(1) - MIB(4)) /* all that happens */
#define AREA_OF  MIB(8)
#define PATTERNS 8
#define STEPS    24

struct run {
	struct fixture *f;
	struct host_rng rng;
	struct view view; /* a machine with every ability: what the engine decodes does not depend on it */
};

static uint64_t choose_gpa(struct run *run)
{
	return AREA + PAGE_SIZE * host_below(&run->rng, AREA_OF / PAGE_SIZE);
}

static uint64_t choose_size(struct run *run, uint64_t gpa)
{
	static const uint64_t sizes[] = { PAGE_SIZE, 3 * PAGE_SIZE, MIB(2), MIB(4) };

	return min_u64(sizes[host_below(&run->rng, ARRAY_LEN(sizes))], AREA + AREA_OF - gpa);
}

static uint64_t *entry_at(struct run *run, uint64_t hpa)
{
	return arena_at(&run->f->arena, hpa);
}

/* --- Patterns ------------------------------------------------------------------------------------------------------ */

/* A table for a pattern that points to one, with a leaf in it: no table is ever empty. 0: there is no such leaf. */
static uint64_t make_table(struct run *run, unsigned level)
{
	struct npt *npt = &run->f->npt;
	const struct npt_format *format = npt->ops->format;
	const struct npt_attr attr = { .prot = NPT_R, .memtype = NPT_WB };
	hpa_t table;

	run->f->allocs_left = -1;
	if (level > npt->config.max_leaf)
		return 0;
	CHECK_ERR(run->f->env.alloc_table(&run->f->env, 0, &table), ERR_OK);
	*entry_at(run, table.raw) = format->set(format->leaf(HPA(0), NPT_WB, level), attr, NPT_ACCESSED, npt->config.hardware_ad);
	*run->f->env.present(&run->f->env, table) = 1;
	npt->table_bytes += PAGE_SIZE;
	npt->leaves[level]++;
	return table.raw;
}

static void drop_table(struct run *run, uint64_t table, unsigned level)
{
	run->f->env.free_table(&run->f->env, HPA(table), 0);
	run->f->npt.table_bytes -= PAGE_SIZE;
	run->f->npt.leaves[level]--;
}

/* The counters follow an entry that is about to change from one kind to another. */
static void account(struct run *run, uint64_t slot, unsigned level, enum npt_kind was, enum npt_kind is)
{
	struct npt *npt = &run->f->npt;
	uint64_t table = level == npt->config.levels - 1u ? npt->root.raw : align_down(slot, PAGE_SIZE);
	uint32_t *present = run->f->env.present(&run->f->env, HPA(table));

	*present = (uint16_t)(*present + (is != NPT_EMPTY) - (was != NPT_EMPTY));
	if (was == NPT_LEAF)
		npt->leaves[level]--;
	if (is == NPT_LEAF)
		npt->leaves[level]++;
}

/* Put a pattern where the walk to an address has an entry of this level, unless a table would be lost or become empty. */
static void plant(struct run *run)
{
	const struct npt_format *format = run->f->npt.ops->format;
	unsigned levels = run->f->npt.config.levels, level = (unsigned)host_below(&run->rng, levels);
	struct oracle_walk walk = view_walk(&run->view, choose_gpa(run), 0);
	uint64_t pte = host_random(&run->rng), slot, table;
	enum npt_kind was, is;

	if (walk.depth < levels - level)
		return;
	slot = walk.slots[levels - 1 - level];
	/* A table that spaces share is nobody's to unmap: tests/host/space.c looks at those. */
	if (format->kind(pte, level) == NPT_SHARED)
		pte &= ~format->table_shared;
	was = format->kind(*entry_at(run, slot), level);
	is = format->kind(pte, level);
	if (was == NPT_TABLE || (is == NPT_EMPTY && was != NPT_EMPTY) || (is == NPT_LEAF && level >= NPT_LEAF_LEVELS))
		return;
	if (is == NPT_TABLE) {
		table = make_table(run, level - 1);
		if (table == 0)
			return;
		pte = (pte & ~format->page.address) | (table >> format->page.shift & format->page.address);
		if (format->kind(pte, level) != NPT_TABLE) {
			drop_table(run, table, level - 1);
			return;
		}
	}
	account(run, slot, level, was, is);
	*entry_at(run, slot) = pte;
}

/* --- Reading ------------------------------------------------------------------------------------------------------- */

static void check_reading(struct run *run, uint64_t gpa)
{
	const struct npt *npt = &run->f->npt;
	struct oracle_walk walk = view_walk(&run->view, gpa, 0);
	struct npt_leaf leaf;
	hpa_t hpa = { 0 };
	enum err err = npt_query(npt, GPA(gpa), &leaf);

	CHECK_ERR(npt_translate(npt, npt->cache, GPA(gpa), &hpa), err);
	CHECK(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_CORRUPT, "%s", host_err(err));
	if (err == ERR_OK)
		CHECK(gpa - leaf.gpa.raw < npt_level_size(leaf.level) && hpa.raw == leaf.hpa.raw + (gpa - leaf.gpa.raw),
		      "%#jx to %#jx", (uintmax_t)gpa, (uintmax_t)hpa.raw);
	if (walk.odd || (walk.status == ORACLE_OK && walk.leaf.type == ORACLE_OTHER))
		return; /* bits that no entry of ours has: the engine may refuse them */
	if (err == ERR_OK && leaf.access_tracked)
		CHECK(walk.status == ORACLE_NOT_PRESENT, "%#jx is hidden, but seen", (uintmax_t)gpa);
	else if (err == ERR_OK)
		/* A planted table may take all permissions of what is below it. */
		CHECK((walk.status == ORACLE_OK || walk.status == ORACLE_DENIED) && walk.hpa == hpa.raw && walk.level == leaf.level,
		      "%#jx: to %#jx, level %u; the hardware: %d, to %#jx, level %u", (uintmax_t)gpa, (uintmax_t)hpa.raw,
		      leaf.level, (int)walk.status, (uintmax_t)walk.hpa, walk.level);
	else
		CHECK(walk.status != ORACLE_OK || walk.prot == 0, "%#jx is mapped, but %s", (uintmax_t)gpa, host_err(err));
}

static bool count_leaf(const struct npt_leaf *leaf, void *context)
{
	(void)leaf;
	++*(uint64_t *)context;
	return true;
}

/* --- Operations ---------------------------------------------------------------------------------------------------- */

static void expect(const char *what, enum err err)
{
	static const enum err fine[] = {
		ERR_OK, ERR_EXISTS, ERR_NOT_FOUND, ERR_CORRUPT, ERR_NO_MEMORY, ERR_UNSUPPORTED, ERR_INVALID, ERR_RANGE,
	};

	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (err == fine[i])
			return;
	fail_msg("%s: %s", what, host_err(err));
}

static void touch(struct run *run, uint64_t gpa)
{
	struct npt *npt = &run->f->npt;
	struct npt_cursor cursor;
	struct npt_leaf leaf;

	if (npt_find(npt, GPA(gpa), &cursor) != NPT_LEAF)
		return;
	npt_decode(npt, &cursor, GPA(gpa), &leaf);
	npt_touch(npt, &cursor, 0, host_chance(&run->rng, 50) ? NPT_ACCESSED : NPT_ACCESSED | NPT_DIRTY);
}

static void operate(struct run *run)
{
	static uint64_t bitmap[AREA_OF / PAGE_SIZE / 64 + 1];
	struct npt *npt = &run->f->npt;
	uint64_t gpa = choose_gpa(run), size = choose_size(run, gpa), leaves = 0;
	unsigned prot = 1 + (unsigned)host_below(&run->rng, 7);
	struct npt_gather gather;

	fixture_forget_events(run->f);
	run->f->allocs_left = host_chance(&run->rng, 20) ? (long)host_below(&run->rng, 3) : -1;
	npt_gather_init(&gather, npt);
	switch (host_below(&run->rng, 10)) {
	case 0:
		expect("map",
		       npt_map(npt, GPA(gpa), HPA(gpa), size, (struct npt_attr){ .prot = (uint8_t)prot, .memtype = NPT_WB }));
		break;
	case 1:
		expect("unmap", npt_unmap(npt, GPA(gpa), size, &gather));
		break;
	case 2:
		expect("protect", npt_protect(npt, GPA(gpa), size, prot, &gather));
		break;
	case 3:
		expect("split", npt_split(npt, GPA(gpa), 0));
		break;
	case 4:
		expect("cut", npt_split_at_boundaries(npt, GPA(gpa), size));
		break;
	case 5:
		npt_collapse_in_place(npt, GPA(gpa), 1);
		break;
	case 6:
		expect("harvest", npt_test_and_clear(npt, GPA(gpa), size, NPT_ACCESSED, bitmap, &gather));
		break;
	case 7:
		expect("harvest", npt_test_and_clear(npt, GPA(gpa), size, NPT_DIRTY, bitmap, &gather));
		break;
	case 8:
		touch(run, gpa);
		break;
	default:
		expect("walk", npt_walk(npt, GPA(AREA), AREA_OF, count_leaf, &leaves));
		break;
	}
	npt_gather_finish(&gather);
}

static void start(struct run *run, unsigned choice)
{
	static struct format_case format;
	size_t f = choice / 2 % format_count;

	while (formats[f].supervisor)
		f = (f + 1) % format_count;
	format = formats[f];
	format.config.hardware_ad ^= choice & 1;
	run->f = fixture_new(&format);
	run->f->watched = false; /* what was planted nobody has told the TLB of */
	run->view = run->f->view;
	run->view.machine.hpa_bits = format.ops->format->max_hpa_bits;
	run->view.machine.max_leaf = NPT_LEAF_LEVELS - 1;
	run->view.machine.exec_only = run->view.machine.svpbmt = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run;
	struct npt_gather gather;

	if (size < 2)
		return 0;
	start(&run, data[0]);
	run.rng = host_rng_of_bytes(data + 1, size - 1);
	for (unsigned i = 0; i < 3; i++)
		operate(&run);
	for (unsigned i = 0; i < PATTERNS && !host_rng_spent(&run.rng); i++)
		plant(&run);
	for (unsigned i = 0; i < STEPS && !host_rng_spent(&run.rng); i++) {
		operate(&run);
		check_reading(&run, choose_gpa(&run) + host_below(&run.rng, PAGE_SIZE));
	}
	run.f->allocs_left = -1;
	fixture_forget_events(run.f);
	npt_gather_init(&gather, &run.f->npt);
	expect("unmap", npt_unmap(&run.f->npt, GPA(0), BIT(run.f->npt.config.gpa_bits), &gather));
	npt_gather_finish(&gather);
	fixture_free(run.f); /* fails if a table is left */
	return 0;
}
