/* SPDX-License-Identifier: BSD-2-Clause */
/* Making tables and mapping into them, in every format. */
#include "npt/pages.h"
#include "tests/host/fixture.h"

static const struct npt_attr rwx = { .prot = NPT_RWX, .memtype = NPT_WB };

static uint64_t top(const struct fixture *f)
{
	return BIT(f->npt.config.gpa_bits);
}

static uint64_t host_top(const struct fixture *f)
{
	return BIT(f->npt.config.hpa_bits);
}

static void new_tables_are_an_empty_root(void **state)
{
	struct fixture *f = *state;
	struct npt_leaf leaf;
	hpa_t hpa;

	assert_string_equal(npt_name(&f->npt), f->format->report_name);
	CHECK_EQ(f->npt.root_order, f->format->root_order);
	CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->format->root_order);
	CHECK(is_aligned(f->npt.root.raw, f->npt.table_bytes), "root %#jx", (uintmax_t)f->npt.root.raw);
	/* As wide as the hardware will index. */
	CHECK(f->npt.table_bytes >= UINT64_C(8) << f->view.oracle->root_bits(&f->view.machine), "root too small");
	fixture_check(f);
	CHECK_ERR(npt_query(&f->npt, GPA(0), &leaf), ERR_NOT_FOUND);
	CHECK_ERR(npt_query(&f->npt, GPA(top(f) - 1), &leaf), ERR_NOT_FOUND);
	CHECK_ERR(npt_query(&f->npt, GPA(top(f)), &leaf), ERR_RANGE);
	CHECK_ERR(npt_translate(&f->npt, f->npt.cache, GPA(UINT64_MAX), &hpa), ERR_RANGE);
	CHECK_EQ(f->event_count, 0);
}

static void each_leaf_size_maps(void **state)
{
	struct fixture *f = *state;
	const uint64_t gpa = GIB(1), hpa = GIB(2);

	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level);

		CHECK_ERR(fixture_map(f, gpa, hpa, size, NPT_RWX), ERR_OK);
		expect_leaf(f, gpa, hpa, level, NPT_RWX);
		expect_leaf(f, gpa + size - 1, hpa + size - 1, level, NPT_RWX);
		expect_hole(f, gpa - 1);
		if (gpa + size < top(f))
			expect_hole(f, gpa + size);
		CHECK_EQ(f->npt.leaves[level], 1);
		/* One table for each level between the root and the leaf. */
		CHECK_EQ(f->npt.table_bytes, (PAGE_SIZE << f->npt.root_order) + PAGE_SIZE * (f->npt.config.levels - 1u - level));
		CHECK_ERR(fixture_unmap(f, gpa, size), ERR_OK);
		expect_hole(f, gpa);
		CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	}
}

struct pick {
	uint64_t gpa, hpa, size;
	uint64_t leaves[NPT_LEAF_LEVELS];
};

static const struct pick picks[] = {
	{ 0, 0, GIB(2), { 0, 0, 2 } },
	{ 0, 0, MIB(2), { 0, 1, 0 } },
	{ 0, 0, MIB(2) - KIB(4), { 511, 0, 0 } },
	{ KIB(4), KIB(4), MIB(2), { 512, 0, 0 } },
	{ KIB(4), MIB(4) + KIB(4), MIB(4), { 511 + 1, 1, 0 } },
	{ MIB(2), MIB(2) + KIB(4), MIB(4), { 1024, 0, 0 } }, /* gpa is aligned, hpa is not */
	{ MIB(2) + KIB(4), MIB(2), MIB(2), { 512, 0, 0 } },  /* the other way round */
	{ GIB(1), MIB(1026), GIB(1), { 0, 512, 0 } },        /* apart by a multiple of 2 MiB only */
	{ MIB(1022), MIB(2046), MIB(1026), { 0, 1, 1 } },
	{ MIB(1022) - KIB(8), MIB(2046) - KIB(8), MIB(1026) + KIB(8), { 2, 1, 1 } },
	{ MIB(1022), MIB(3070), MIB(6) + KIB(8), { 2, 3, 0 } },
	{ GIB(1) - KIB(4), GIB(3) - KIB(4), KIB(8), { 2, 0, 0 } }, /* across every level's border */
	{ MIB(4), 0, MIB(8), { 0, 4, 0 } },                        /* hpa below gpa */
};

static void the_largest_leaves_are_picked(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(picks); i++) {
		const struct pick *pick = &picks[i];
		uint64_t leaves[NPT_LEAF_LEVELS];

		for (unsigned level = 0; level < NPT_LEAF_LEVELS; level++)
			leaves[level] = pick->leaves[level];
		if (f->npt.config.max_leaf < 2) {
			leaves[1] += 512 * leaves[2];
			leaves[2] = 0;
		}
		CHECK_ERR(fixture_map(f, pick->gpa, pick->hpa, pick->size, NPT_RW), ERR_OK);
		for (unsigned level = 0; level < NPT_LEAF_LEVELS; level++)
			CHECK(f->npt.leaves[level] == leaves[level], "pick %zu: %ju leaves of level %u", i,
			      (uintmax_t)f->npt.leaves[level], level);
		for (uint64_t at = 0; at < pick->size; at += KIB(4) + MIB(1)) {
			struct oracle_walk walk = view_walk(&f->view, pick->gpa + at, NPT_RW);

			CHECK(walk.status == ORACLE_OK && walk.hpa == pick->hpa + at, "pick %zu at %#jx", i, (uintmax_t)at);
		}
		CHECK_ERR(fixture_unmap(f, pick->gpa, pick->size), ERR_OK);
		CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	}
}

struct refusal {
	uint64_t gpa, hpa, size;
	unsigned prot;
	enum err err;
};

static void malformed_ranges_are_refused(void **state)
{
	struct fixture *f = *state;
	const uint64_t end = top(f), host_end = host_top(f), page = PAGE_SIZE;
	const struct refusal refusals[] = {
		{ page, page, 0, NPT_RW, ERR_INVALID },
		{ page + 1, page, page, NPT_RW, ERR_INVALID },
		{ page, page + 8, page, NPT_RW, ERR_INVALID },
		{ page, page, page + 16, NPT_RW, ERR_INVALID },
		{ page, page, page, 0, ERR_INVALID },
		{ page, page, page, 8, ERR_INVALID },
		{ page, page, page, NPT_RW | 16, ERR_INVALID },
		{ end, page, page, NPT_RW, ERR_RANGE },
		{ end - page, page, 2 * page, NPT_RW, ERR_RANGE },
		{ page, 0, end, NPT_RW, ERR_RANGE },
		{ 0, 0, end + page, NPT_RW, ERR_RANGE },
		{ -page, page, page, NPT_RW, ERR_RANGE },
		{ -page, page, 2 * page, NPT_RW, ERR_RANGE }, /* wraps around to the first page */
		{ page, page, -page, NPT_RW, ERR_RANGE },
		{ page, host_end, page, NPT_RW, ERR_RANGE },
		{ page, host_end - page, 2 * page, NPT_RW, ERR_RANGE },
		{ page, -page, page, NPT_RW, ERR_RANGE },
		{ page, -page, 2 * page, NPT_RW, ERR_RANGE },
	};

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *r = &refusals[i];
		enum err err = fixture_map(f, r->gpa, r->hpa, r->size, r->prot);

		CHECK(err == r->err, "refusal %zu: %s", i, host_err(err));
		CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	}
	CHECK_EQ(f->event_count, 0);
}

static void the_last_page_of_both_spaces_maps(void **state)
{
	struct fixture *f = *state;
	uint64_t gpa = top(f) - PAGE_SIZE, hpa = host_top(f) - PAGE_SIZE;

	CHECK_ERR(fixture_map(f, gpa, hpa, PAGE_SIZE, NPT_RX), ERR_OK);
	expect_leaf(f, gpa + 0xfff, hpa + 0xfff, 0, NPT_RX);
	CHECK_ERR(fixture_map(f, 0, 0, PAGE_SIZE, NPT_R), ERR_OK);
	expect_leaf(f, 0, 0, 0, NPT_R);
	expect_leaf(f, gpa, hpa, 0, NPT_RX);
	CHECK_ERR(fixture_unmap(f, 0, top(f)), ERR_OK);
	CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
}

/* Pages, 2 MiB and 1 GiB at once, at the very end, then a range that overlaps it in each way. */
static void overlap_is_refused_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const struct refusal overlaps[] = {
		{ MIB(6), 0, MIB(2), 0, 0 },
		{ MIB(6) + KIB(4), 0, KIB(4), 0, 0 },
		{ MIB(8) - KIB(4), 0, KIB(4), 0, 0 },
		{ MIB(4), 0, MIB(4), 0, 0 },
		{ MIB(4), 0, MIB(2) + KIB(4), 0, 0 },
		{ 0, 0, GIB(1), 0, 0 },
		{ MIB(7), 0, MIB(8), 0, 0 },
		{ MIB(16) - KIB(64), 0, KIB(64) + KIB(4), 0, 0 },
		{ MIB(14), 0, MIB(4), 0, 0 },
		{ MIB(16), 0, KIB(8), 0, 0 },
		{ 0, 0, GIB(2), 0, 0 },
	};

	CHECK_ERR(fixture_map(f, MIB(6), MIB(6), MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(16), MIB(32), KIB(4), NPT_R), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(1200), MIB(1200), MIB(2), NPT_RW), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(overlaps); i++) {
		struct image image;
		enum err err;

		image_take(&image, &f->view);
		err = fixture_map(f, overlaps[i].gpa, overlaps[i].hpa, overlaps[i].size, NPT_RWX);
		CHECK(err == ERR_EXISTS, "overlap %zu: %s", i, host_err(err));
		image_expect(&image, &f->view, "refused overlap");
	}
}

static void permissions_are_exact_or_refused(void **state)
{
	struct fixture *f = *state;

	for (unsigned prot = 1; prot <= NPT_RWX; prot++) {
		bool can = format_has_prot(f->format, prot);
		struct npt_attr attr = { .prot = (uint8_t)prot, .memtype = NPT_WB };
		enum err expected = can ? ERR_OK : ERR_UNSUPPORTED;

		CHECK_ERR(npt_check(&f->npt, attr), expected);
		for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
			uint64_t size = npt_level_size(level);

			CHECK_ERR(fixture_map(f, GIB(1), 0, size, prot), expected);
			if (!can)
				continue;
			expect_leaf(f, GIB(1), 0, level, prot);
			for (unsigned access = 1; access <= NPT_RWX; access++) {
				struct oracle_walk walk = view_walk(&f->view, GIB(1), access);

				CHECK((walk.status == ORACLE_OK) == !(access & ~prot), "prot %u, access %u", prot, access);
			}
			CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
		}
		CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	}
	CHECK_ERR(npt_check(&f->npt, (struct npt_attr){ .prot = 0 }), ERR_INVALID);
}

static void memory_types_are_exact_or_refused(void **state)
{
	struct fixture *f = *state;

	for (unsigned type = NPT_WB; type <= NPT_UC; type++) {
		struct npt_attr attr = { .prot = NPT_RW, .memtype = (uint8_t)type };
		enum err expected = format_has_type(f->format, type) ? ERR_OK : ERR_UNSUPPORTED;

		CHECK_ERR(npt_check(&f->npt, attr), expected);
		for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
			struct oracle_walk walk;

			CHECK_ERR(npt_map(&f->npt, GPA(GIB(1)), HPA(0), npt_level_size(level), attr), expected);
			fixture_check(f);
			if (expected != ERR_OK)
				continue;
			walk = view_walk(&f->view, GIB(1), NPT_RW);
			CHECK(walk.status == ORACLE_OK && walk.level == level, "type %u level %u", type, level);
			CHECK(walk.leaf.type == (enum oracle_type)type, "type %u is %d to the hardware", type, (int)walk.leaf.type);
			/* EPT: the guest's PAT is not asked. Arm: RAM is shared with all CPUs. */
			CHECK(f->view.oracle != &oracle_ept || walk.leaf.ipat, "IPAT");
			CHECK(f->view.oracle != &oracle_stage2 || type == NPT_UC || walk.leaf.share == 3, "SH %u", walk.leaf.share);
			CHECK_ERR(fixture_unmap(f, GIB(1), npt_level_size(level)), ERR_OK);
		}
	}
	CHECK_ERR(npt_check(&f->npt, (struct npt_attr){ .prot = NPT_R, .memtype = NPT_UC + 1 }), ERR_INVALID);
}

/* A leaf of each size at the entry where npt_find ended, in an empty space and beside a neighbour. */
static void map_at_goes_on_where_find_ended(void **state)
{
	struct fixture *f = *state;
	struct npt_cursor cursor;

	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level), first = GIB(1);
		uint64_t second = level < 2 ? first + size : 0;

		for (unsigned round = 0; round < 2; round++) {
			uint64_t gpa = round ? second : first, hpa = round ? GIB(1) : 0;

			CHECK(npt_find(&f->npt, GPA(gpa), &cursor) == NPT_EMPTY, "%#jx", (uintmax_t)gpa);
			CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(gpa), level, HPA(hpa), rwx), ERR_OK);
			expect_leaf(f, gpa, hpa, level, NPT_RWX);
			fixture_check(f);
			CHECK(npt_find(&f->npt, GPA(gpa + size - 1), &cursor) == NPT_LEAF, "%#jx", (uintmax_t)gpa);
			CHECK_EQ(cursor.level, level);
		}
		CHECK_ERR(fixture_unmap(f, first, size), ERR_OK);
		CHECK_ERR(fixture_unmap(f, second, size), ERR_OK);
	}
}

static void map_at_refuses_what_map_refuses(void **state)
{
	struct fixture *f = *state;
	const struct npt_attr write_only = { .prot = NPT_W, .memtype = NPT_WB };
	struct npt_cursor cursor;

	CHECK_ERR(fixture_map(f, MIB(2), 0, PAGE_SIZE, NPT_R), ERR_OK);
	fixture_forget_events(f);
	CHECK(npt_find(&f->npt, GPA(MIB(2) + KIB(8)), &cursor) == NPT_EMPTY, "neighbour");
	CHECK_EQ(cursor.level, 0);
	CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(MIB(2)), 1, HPA(0), rwx), ERR_EXISTS);
	CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(MIB(2) + KIB(8)), 0, HPA(0), write_only), ERR_UNSUPPORTED);
	CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(MIB(2) + KIB(8)), 0, HPA(12), rwx), ERR_INVALID);
	CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(MIB(2) + KIB(8)), 0, HPA(host_top(f)), rwx), ERR_RANGE);
	CHECK(npt_find(&f->npt, GPA(GIB(1) + MIB(2)), &cursor) == NPT_EMPTY, "far away");
	CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(GIB(1) + MIB(2)), 2, HPA(0), rwx), ERR_INVALID);
	CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(GIB(1) + MIB(2)), 1, HPA(KIB(4)), rwx), ERR_INVALID);
	if (f->npt.config.max_leaf < 2)
		CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(GIB(1)), 2, HPA(0), rwx), ERR_INVALID);
	CHECK_EQ(f->event_count, 0);
	fixture_check(f);
}

struct visits {
	uint64_t gpa[16];
	size_t count, stop_after;
};

static bool note_visit(const struct npt_leaf *leaf, void *context)
{
	struct visits *visits = context;

	CHECK(visits->count < ARRAY_LEN(visits->gpa), "too many leaves");
	visits->gpa[visits->count++] = leaf->gpa.raw;
	return visits->count < visits->stop_after;
}

static void walk_visits_the_range_in_order(void **state)
{
	struct fixture *f = *state;
	struct visits visits = { .stop_after = 99 }, few = { .stop_after = 2 };

	CHECK_ERR(fixture_map(f, MIB(2), MIB(4), MIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(1024) + KIB(8), 0, KIB(8), NPT_R), ERR_OK);
	CHECK_ERR(fixture_map(f, KIB(4), 0, KIB(4), NPT_R), ERR_OK);
	CHECK_ERR(npt_walk(&f->npt, GPA(0), top(f), note_visit, &visits), ERR_OK);
	CHECK_EQ(visits.count, 5);
	CHECK_EQ(visits.gpa[0], KIB(4));
	CHECK_EQ(visits.gpa[1], MIB(2));
	CHECK_EQ(visits.gpa[2], MIB(4));
	CHECK_EQ(visits.gpa[3], GIB(1) + KIB(8));
	CHECK_EQ(visits.gpa[4], GIB(1) + KIB(12));
	CHECK_ERR(npt_walk(&f->npt, GPA(0), top(f), note_visit, &few), ERR_OK);
	CHECK_EQ(few.count, 2);
	visits.count = 0;
	CHECK_ERR(npt_walk(&f->npt, GPA(MIB(4)), MIB(1020) + KIB(12), note_visit, &visits), ERR_OK);
	CHECK_EQ(visits.count, 2);
	CHECK_EQ(visits.gpa[0], MIB(4));
	CHECK_EQ(visits.gpa[1], GIB(1) + KIB(8));
	CHECK_ERR(npt_walk(&f->npt, GPA(0), 0, note_visit, &visits), ERR_INVALID);
	CHECK_ERR(npt_walk(&f->npt, GPA(1), PAGE_SIZE, note_visit, &visits), ERR_INVALID);
	CHECK_ERR(npt_walk(&f->npt, GPA(0), top(f) + PAGE_SIZE, note_visit, &visits), ERR_RANGE);
}

/* What npt_fill_at puts there is the leaf that npt_map_at makes, with all that is counted. */
static void fill_at_does_as_map_at(void **state)
{
	struct fixture *f = *state;
	const struct npt_attr attrs[] = { rwx, { .prot = NPT_RW, .memtype = NPT_WB }, { .prot = NPT_R, .memtype = NPT_WB } };

	for (unsigned level = 0; level <= 1; level++)
		for (size_t i = 0; i < ARRAY_LEN(attrs); i++) {
			uint64_t size = npt_level_size(level), gpa = 5 * size, wanted;
			struct npt_cursor cursor;

			if (npt_check(&f->npt, attrs[i]) != ERR_OK)
				continue;
			CHECK_ERR(fixture_map(f, gpa + size, 64 * size, size, NPT_R), ERR_OK); /* for the tables */
			assert_int_equal(npt_find(&f->npt, GPA(gpa), &cursor), NPT_EMPTY);
			CHECK_EQ(cursor.level, level);
			CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(gpa), level, HPA(9 * size), attrs[i]), ERR_OK);
			wanted = *cursor.slot;
			CHECK_ERR(fixture_unmap(f, gpa, size), ERR_OK);
			assert_int_equal(npt_find(&f->npt, GPA(gpa), &cursor), NPT_EMPTY);
			npt_fill_at(&f->npt, &cursor, HPA(9 * size), npt_page_entry(&f->npt, attrs[i]));
			CHECK_EQ(*cursor.slot, wanted);
			CHECK_EQ(f->npt.leaves[level], 2);
			fixture_check(f);
			CHECK_ERR(fixture_unmap(f, gpa, 2 * size), ERR_OK);
		}
}

static void expect_translation(struct fixture *f, uint64_t gpa, uint64_t expected)
{
	hpa_t hpa;

	for (unsigned i = 0; i < 2; i++) { /* by a walk, and by what that has left in the walk cache */
		CHECK_ERR(npt_translate(&f->npt, f->npt.cache, GPA(gpa), &hpa), ERR_OK);
		CHECK_EQ(hpa.raw, expected);
	}
	fixture_check(f);
}

/* A large leaf in the walk cache is not used once it has been replaced, split or unmapped. */
static void cached_leaves_are_as_they_are_now(void **state)
{
	struct fixture *f = *state;

	for (unsigned level = 1; level <= f->npt.config.max_leaf; level++) {
		const uint64_t size = npt_level_size(level), gpa = GIB(1), at = gpa + size - MIB(1) + 5;
		struct npt_cursor cursor;
		hpa_t hpa;

		CHECK_ERR(fixture_map(f, gpa, 2 * size, size, NPT_RWX), ERR_OK);
		expect_translation(f, at, 2 * size + at - gpa);
		CHECK_EQ(npt_find(&f->npt, GPA(at), &cursor), NPT_LEAF);
		npt_replace(&f->npt, &cursor, GPA(gpa), HPA(3 * size), rwx, NPT_ACCESSED | NPT_DIRTY);
		expect_translation(f, at, 3 * size + at - gpa);
		CHECK_ERR(npt_split(&f->npt, GPA(at), 0), ERR_OK);
		CHECK_ERR(fixture_unmap(f, gpa + size - MIB(1) + PAGE_SIZE, PAGE_SIZE), ERR_OK);
		expect_translation(f, at, 3 * size + at - gpa);
		CHECK_ERR(npt_translate(&f->npt, f->npt.cache, GPA(at + PAGE_SIZE), &hpa), ERR_NOT_FOUND);
		CHECK_ERR(fixture_unmap(f, gpa, size), ERR_OK);
		CHECK_ERR(npt_translate(&f->npt, f->npt.cache, GPA(at), &hpa), ERR_NOT_FOUND);
	}
}

/* The tables of the fixture are poisoned when they are freed: who looks at one is found out. */
static void cached_leaves_go_with_their_table(void **state)
{
	struct fixture *f = *state;
	const uint64_t gpa = GIB(1);
	hpa_t hpa;

	for (unsigned level = 1; level <= f->npt.config.max_leaf; level++) {
		CHECK_ERR(fixture_map(f, gpa, 0, npt_level_size(level), NPT_RWX), ERR_OK);
		expect_translation(f, gpa, 0);
		CHECK_ERR(fixture_unmap(f, gpa, npt_level_size(level)), ERR_OK);
		CHECK_ERR(npt_translate(&f->npt, f->npt.cache, GPA(gpa), &hpa), ERR_NOT_FOUND);
	}
	if (f->npt.config.max_leaf < 2)
		return;
	CHECK_ERR(fixture_map(f, gpa, MIB(2), GIB(1), NPT_RWX), ERR_OK);
	expect_translation(f, gpa + MIB(6), MIB(8));
	CHECK_ERR(npt_collapse(&f->npt, GPA(gpa), 2, HPA(GIB(3)), rwx, NULL, NULL), ERR_OK);
	expect_translation(f, gpa + MIB(6), GIB(3) + MIB(6));
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "new_tables_are_an_empty_root", new_tables_are_an_empty_root },
		{ "each_leaf_size_maps", each_leaf_size_maps },
		{ "the_largest_leaves_are_picked", the_largest_leaves_are_picked },
		{ "malformed_ranges_are_refused", malformed_ranges_are_refused },
		{ "the_last_page_of_both_spaces_maps", the_last_page_of_both_spaces_maps },
		{ "overlap_is_refused_and_changes_nothing", overlap_is_refused_and_changes_nothing },
		{ "permissions_are_exact_or_refused", permissions_are_exact_or_refused },
		{ "memory_types_are_exact_or_refused", memory_types_are_exact_or_refused },
		{ "map_at_goes_on_where_find_ended", map_at_goes_on_where_find_ended },
		{ "map_at_refuses_what_map_refuses", map_at_refuses_what_map_refuses },
		{ "fill_at_does_as_map_at", fill_at_does_as_map_at },
		{ "walk_visits_the_range_in_order", walk_visits_the_range_in_order },
		{ "cached_leaves_are_as_they_are_now", cached_leaves_are_as_they_are_now },
		{ "cached_leaves_go_with_their_table", cached_leaves_go_with_their_table },
	};

	return format_suite("npt_map", tests, ARRAY_LEN(tests));
}
