/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking mappings away and changing them: unmap, protect, split and cut, in every format. */
#include "tests/host/fixture.h"

/* Two large leaves side by side, of which something is changed. */
#define PAIR_HPA MIB(1024)

struct cut {
	const char *name;
	uint64_t start, end; /* in pages of the leaf below, from the first leaf's start, or from its end if negative */
};

/* 2 MiB leaves straddle two tables, where the space is wide enough. */
static uint64_t pair_gpa(const struct fixture *f, unsigned level)
{
	if (level == 2)
		return 0;
	return f->npt.config.gpa_bits > 31 ? MIB(2046) : MIB(1022);
}

/* Map the pair with the oddest memory type there is; mark the first leaf dirty. */
static uint64_t make_pair(struct fixture *f, unsigned level)
{
	uint64_t gpa = pair_gpa(f, level), size = npt_level_size(level);
	unsigned type = format_has_type(f->format, NPT_WC) ? NPT_WC : NPT_WB;
	struct npt_attr attr = { .prot = NPT_RWX, .memtype = (uint8_t)type };

	for (unsigned i = 0; i < 2; i++)
		CHECK_ERR(npt_map(&f->npt, GPA(gpa + i * size), HPA(PAIR_HPA + i * size), size, attr), ERR_OK);
	if (f->npt.config.hardware_ad) {
		view_touch(&f->view, gpa + size - 1, ORACLE_W);
		view_touch(&f->view, gpa + size, ORACLE_R);
	}
	fixture_check(f);
	CHECK_EQ(f->npt.leaves[level], 2);
	fixture_forget_events(f);
	return gpa;
}

/* The level of the leaf that must hold `at`, when a leaf of `level` was cut at `start` and `end`. */
static unsigned level_after(uint64_t at, unsigned level, uint64_t start, uint64_t end)
{
	for (;; level--) {
		uint64_t first = align_down(at, npt_level_size(level)), last = first + npt_level_size(level);
		bool apart = (start > first && start < last) || (end > first && end < last);

		if (!apart)
			return level;
	}
}

struct after {
	uint64_t gpa, start, end; /* the pair, and what was changed in it */
	unsigned level;
	unsigned prot; /* of what was changed; 0: it is gone */
};

static void check_page(struct fixture *f, const struct after *after, uint64_t at)
{
	uint64_t size = npt_level_size(after->level);
	bool changed = at >= after->start && at < after->end;
	bool first = at < after->gpa + size;
	unsigned prot = changed ? after->prot : NPT_RWX;
	struct npt_leaf leaf;
	struct oracle_walk walk;

	if (prot == 0) {
		expect_hole(f, at);
		CHECK_ERR(npt_query(&f->npt, GPA(at), &leaf), ERR_NOT_FOUND);
		return;
	}
	expect_leaf(f, at, PAIR_HPA + (at - after->gpa), level_after(at, after->level, after->start, after->end), prot);
	walk = view_walk(&f->view, at, 0);
	CHECK(walk.leaf.type == (format_has_type(f->format, NPT_WC) ? ORACLE_WC : ORACLE_WB), "type %d at %#jx",
	      (int)walk.leaf.type, (uintmax_t)at);
	CHECK_ERR(npt_query(&f->npt, GPA(at), &leaf), ERR_OK);
	CHECK(leaf.accessed, "accessed lost at %#jx", (uintmax_t)at);
	if (f->format->keeps_dirty)
		CHECK(leaf.dirty == (first || !f->npt.config.hardware_ad), "dirty is %d at %#jx", leaf.dirty, (uintmax_t)at);
}

static void check_pair(struct fixture *f, const struct after *after)
{
	uint64_t end = after->gpa + 2 * npt_level_size(after->level);
	uint64_t stride = after->level == 2 ? MIB(2) - KIB(4) : KIB(4);
	const uint64_t edges[] = { after->gpa, after->start, after->end, end };

	for (uint64_t at = after->gpa; at < end; at += stride)
		check_page(f, after, at);
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		if (edges[i] > after->gpa)
			check_page(f, after, edges[i] - KIB(4));
		if (edges[i] < end)
			check_page(f, after, edges[i]);
	}
}

static uint64_t splits_of(uint64_t edge, unsigned level)
{
	uint64_t count = 0;

	while (level > 0 && !is_aligned(edge, npt_level_size(level--)))
		count++;
	return count;
}

/* Cut the pair in every place worth it, and do `change` to the piece. */
static void change_pairs(struct fixture *f, unsigned prot)
{
	for (unsigned level = 1; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level), below = npt_level_size(level - 1);
		const struct cut cuts[] = {
			{ "head", 0, below },
			{ "head page", 0, KIB(4) },
			{ "tail", size - below, size },
			{ "tail page", size - KIB(4), size },
			{ "middle", size / 2, size / 2 + 3 * below },
			{ "middle page", size / 2 + KIB(4), size / 2 + KIB(8) },
			{ "all but head and tail", KIB(4), size - KIB(4) },
			{ "across both", size - 2 * below, size + below },
			{ "pages across both", size - KIB(8), size + KIB(4) },
			{ "half", size / 2, size },
			{ "whole", 0, size },
			{ "whole and a page", 0, size + KIB(4) },
			{ "everything", 0, 2 * size },
		};

		for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
			uint64_t gpa = make_pair(f, level);
			struct after after = { gpa, gpa + cuts[i].start, gpa + cuts[i].end, level, prot };
			uint64_t length = after.end - after.start, tables = f->npt.table_bytes;

			CHECK_ERR(prot ? fixture_protect(f, after.start, length, prot) : fixture_unmap(f, after.start, length),
				  ERR_OK);
			check_pair(f, &after);
			if (prot && splits_of(after.start, level) + splits_of(after.end, level) == 0)
				CHECK(f->npt.table_bytes == tables, "%s: tables without need", cuts[i].name);
			CHECK_ERR(fixture_unmap(f, gpa, 2 * size), ERR_OK);
			CHECK(f->npt.table_bytes == PAGE_SIZE << f->npt.root_order, "%s: tables left", cuts[i].name);
		}
	}
}

static void unmap_splits_what_it_cuts(void **state)
{
	change_pairs(*state, 0);
}

static void protect_splits_what_it_cuts(void **state)
{
	change_pairs(*state, NPT_R);
	change_pairs(*state, NPT_RX);
}

static void protect_without_change_keeps_everything(void **state)
{
	change_pairs(*state, NPT_RWX);
}

static void unmap_skips_holes(void **state)
{
	struct fixture *f = *state;
	uint64_t end = BIT(f->npt.config.gpa_bits);

	CHECK_ERR(fixture_unmap(f, 0, end), ERR_OK);
	CHECK_EQ(f->event_count, 0);
	CHECK_ERR(fixture_map(f, MIB(4), 0, KIB(12), NPT_R), ERR_OK);
	CHECK_ERR(fixture_map(f, GIB(1), 0, MIB(2), NPT_R), ERR_OK);
	CHECK_ERR(fixture_unmap(f, MIB(4) + KIB(4), KIB(4)), ERR_OK); /* the table stays for the other two */
	expect_leaf(f, MIB(4), 0, 0, NPT_R);
	expect_hole(f, MIB(4) + KIB(4));
	expect_leaf(f, MIB(4) + KIB(8), KIB(8), 0, NPT_R);
	CHECK_ERR(fixture_unmap(f, MIB(4) + KIB(4), KIB(4)), ERR_OK);
	CHECK_ERR(fixture_unmap(f, KIB(4), end - KIB(8)), ERR_OK);
	CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
}

static void bad_ranges_are_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t end = BIT(f->npt.config.gpa_bits);
	const struct {
		uint64_t gpa, size;
		enum err err;
	} ranges[] = {
		{ 0, 0, ERR_INVALID },
		{ 1, PAGE_SIZE, ERR_INVALID },
		{ 0, PAGE_SIZE + 1, ERR_INVALID },
		{ end, PAGE_SIZE, ERR_RANGE },
		{ end - PAGE_SIZE, 2 * PAGE_SIZE, ERR_RANGE },
		{ 0, end + PAGE_SIZE, ERR_RANGE },
		{ PAGE_SIZE, -PAGE_SIZE, ERR_RANGE },
		{ -PAGE_SIZE, 2 * PAGE_SIZE, ERR_RANGE },
	};

	CHECK_ERR(fixture_map(f, 0, 0, MIB(2), NPT_RW), ERR_OK);
	fixture_forget_events(f);
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		CHECK_ERR(fixture_unmap(f, ranges[i].gpa, ranges[i].size), ranges[i].err);
		CHECK_ERR(fixture_protect(f, ranges[i].gpa, ranges[i].size, NPT_R), ranges[i].err);
		CHECK_ERR(npt_split_at_boundaries(&f->npt, GPA(ranges[i].gpa), ranges[i].size), ranges[i].err);
	}
	CHECK_EQ(f->event_count, 0);
	expect_leaf(f, 0, 0, 1, NPT_RW);
}

static void inexpressible_permissions_are_refused(void **state)
{
	struct fixture *f = *state;

	CHECK_ERR(fixture_map(f, 0, 0, MIB(2), NPT_RWX), ERR_OK);
	fixture_forget_events(f);
	for (unsigned prot = 0; prot <= NPT_RWX + 9; prot++) {
		enum err expected = prot == 0 || prot > NPT_RWX ? ERR_INVALID : ERR_UNSUPPORTED;

		if (format_has_prot(f->format, prot))
			continue;
		CHECK_ERR(fixture_protect(f, KIB(4), KIB(4), prot), expected);
		expect_leaf(f, KIB(4), KIB(4), 1, NPT_RWX);
	}
	CHECK_ERR(fixture_protect(f, 0, KIB(4), 256 + NPT_R), ERR_INVALID);
	CHECK_EQ(f->event_count, 0);
}

static void every_permission_changes_into_every_other(void **state)
{
	struct fixture *f = *state;
	const uint64_t gpa = GIB(1);

	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		for (unsigned from = 1; from <= NPT_RWX; from++) {
			for (unsigned to = 1; to <= NPT_RWX; to++) {
				if (!format_has_prot(f->format, from) || !format_has_prot(f->format, to))
					continue;
				CHECK_ERR(fixture_map(f, gpa, 0, npt_level_size(level), from), ERR_OK);
				CHECK_ERR(fixture_protect(f, 0, GIB(2), to), ERR_OK); /* holes are skipped */
				expect_leaf(f, gpa, 0, level, to);
				CHECK_ERR(fixture_unmap(f, gpa, npt_level_size(level)), ERR_OK);
			}
		}
	}
}

/* The leaves that unmap reports, and whether the flush came later. */
struct gone {
	struct npt_gather gather;
	struct fixture *fixture;
	uint64_t hpa[8], in_a_row[8];
	unsigned level[8];
	size_t count;
};

static void note_gone(struct npt_gather *gather, hpa_t hpa, unsigned level, uint64_t in_a_row)
{
	struct gone *gone = CONTAINER_OF(gather, struct gone, gather);

	CHECK(gone->count < ARRAY_LEN(gone->hpa), "too many leaves");
	CHECK_EQ(fixture_count(gone->fixture, FAKE_FLUSH), 0);
	gone->hpa[gone->count] = hpa.raw;
	gone->in_a_row[gone->count] = in_a_row;
	gone->level[gone->count++] = level;
}

static void unmap_reports_rows_of_leaves(void **state)
{
	struct fixture *f = *state;
	struct gone gone = { .fixture = f };

	CHECK_ERR(fixture_map(f, MIB(2), MIB(8), MIB(2), NPT_RW), ERR_OK);
	/* Pages in a row on both sides, then one that is not on the host, then one that is not in the guest. */
	CHECK_ERR(fixture_map(f, MIB(6), KIB(4), KIB(8), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(6) + KIB(8), KIB(16), KIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(6) + KIB(16), KIB(20), KIB(4), NPT_RW), ERR_OK);
	fixture_forget_events(f);
	npt_gather_init(&gone.gather, &f->npt);
	gone.gather.leaves_gone = note_gone;
	CHECK_ERR(npt_unmap(&f->npt, GPA(0), GIB(1), &gone.gather), ERR_OK);
	CHECK_EQ(gone.count, 4);
	CHECK_EQ(gone.hpa[0], MIB(8));
	CHECK_EQ(gone.level[0], 1);
	CHECK_EQ(gone.in_a_row[0], 1);
	CHECK_EQ(gone.hpa[1], KIB(4));
	CHECK_EQ(gone.in_a_row[1], 2);
	CHECK_EQ(gone.hpa[2], KIB(16));
	CHECK_EQ(gone.hpa[3], KIB(20));
	CHECK_EQ(gone.in_a_row[2] + gone.in_a_row[3], 2);
	CHECK_EQ(gone.level[1] + gone.level[2] + gone.level[3], 0);
	npt_gather_finish(&gone.gather);
	fixture_check(f);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
}

static void split_keeps_translations(void **state)
{
	struct fixture *f = *state;
	uint64_t end = BIT(f->npt.config.gpa_bits);

	CHECK_ERR(npt_split(&f->npt, GPA(GIB(1)), 0), ERR_NOT_FOUND);
	CHECK_ERR(npt_split(&f->npt, GPA(end), 0), ERR_RANGE);
	for (unsigned from = 0; from <= f->npt.config.max_leaf; from++) {
		for (unsigned to = 0; to <= f->npt.config.max_leaf; to++) {
			uint64_t size = npt_level_size(from), at = GIB(1) + align_down(size / 3, PAGE_SIZE);
			unsigned level = to < from ? to : from;

			CHECK_ERR(fixture_map(f, GIB(1), 0, size, NPT_RX), ERR_OK);
			CHECK_ERR(npt_split(&f->npt, GPA(at), to), ERR_OK);
			fixture_check(f);
			expect_leaf(f, at, at - GIB(1), level, NPT_RX);
			expect_leaf(f, GIB(1) + size - 1, size - 1, from > to + 1 ? from - 1 : level, NPT_RX);
			CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
		}
	}
}

static void cut_only_makes_borders(void **state)
{
	struct fixture *f = *state;

	CHECK_ERR(fixture_map(f, MIB(2), MIB(2), MIB(6), NPT_RX), ERR_OK);
	fixture_forget_events(f);
	CHECK_ERR(npt_split_at_boundaries(&f->npt, GPA(0), MIB(4)), ERR_OK); /* borders already, and a hole */
	CHECK_EQ(f->event_count, 0);
	CHECK_ERR(npt_split_at_boundaries(&f->npt, GPA(MIB(3)), MIB(4)), ERR_OK);
	fixture_check(f);
	expect_leaf(f, MIB(2), MIB(2), 0, NPT_RX);
	expect_leaf(f, MIB(4), MIB(4), 1, NPT_RX);
	expect_leaf(f, MIB(8) - 1, MIB(8) - 1, 0, NPT_RX);
	CHECK_EQ(f->npt.leaves[0], 1024);
	/* Now nothing in this range can fail. */
	f->allocs_left = 0;
	CHECK_ERR(fixture_protect(f, MIB(3), MIB(4), NPT_R), ERR_OK);
	CHECK_ERR(fixture_unmap(f, MIB(3), MIB(4)), ERR_OK);
}

/* From among pages into a large leaf. */
static void cut_looks_at_both_ends(void **state)
{
	struct fixture *f = *state;

	CHECK_ERR(fixture_map(f, MIB(2), KIB(4), KIB(64), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(4), MIB(8), MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(npt_split_at_boundaries(&f->npt, GPA(MIB(2) + KIB(8)), MIB(3)), ERR_OK);
	fixture_check(f);
	expect_leaf(f, MIB(5) + KIB(8), MIB(9) + KIB(8), 0, NPT_RW);
	CHECK_ERR(fixture_unmap(f, MIB(2) + KIB(8), MIB(3)), ERR_OK);
	expect_leaf(f, MIB(5) + KIB(8), MIB(9) + KIB(8), 0, NPT_RW);
	expect_hole(f, MIB(5) + KIB(4));
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "unmap_splits_what_it_cuts", unmap_splits_what_it_cuts },
		{ "protect_splits_what_it_cuts", protect_splits_what_it_cuts },
		{ "protect_without_change_keeps_everything", protect_without_change_keeps_everything },
		{ "unmap_skips_holes", unmap_skips_holes },
		{ "bad_ranges_are_refused", bad_ranges_are_refused },
		{ "inexpressible_permissions_are_refused", inexpressible_permissions_are_refused },
		{ "every_permission_changes_into_every_other", every_permission_changes_into_every_other },
		{ "unmap_reports_rows_of_leaves", unmap_reports_rows_of_leaves },
		{ "split_keeps_translations", split_keeps_translations },
		{ "cut_only_makes_borders", cut_only_makes_borders },
		{ "cut_looks_at_both_ends", cut_looks_at_both_ends },
	};

	return format_suite("npt_change", tests, ARRAY_LEN(tests));
}
