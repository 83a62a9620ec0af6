/* SPDX-License-Identifier: BSD-2-Clause */
/* Harvesting accessed and dirty, whether hardware keeps them or software does, and letting the guest in again. */
#include "npt/pages.h"
#include "tests/host/fixture.h"

#include <string.h>

#define AT    (GIB(1) - KIB(64)) /* across a border of all levels */
#define PAGES 32

static struct npt_leaf query(const struct fixture *f, uint64_t gpa)
{
	struct npt_leaf leaf;

	CHECK_ERR(npt_query(&f->npt, GPA(gpa), &leaf), ERR_OK);
	return leaf;
}

static enum err test_and_clear(struct fixture *f, uint64_t gpa, uint64_t size, enum npt_ad mark, uint64_t *bitmap)
{
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, &f->npt);
	err = npt_test_and_clear(&f->npt, GPA(gpa), size, mark, bitmap, &gather);
	npt_gather_finish(&gather);
	fixture_check(f);
	return err;
}

static void touch(struct fixture *f, uint64_t gpa, unsigned prot, unsigned marks)
{
	struct npt_cursor cursor;

	CHECK_EQ(npt_find(&f->npt, GPA(gpa), &cursor), NPT_LEAF);
	npt_touch(&f->npt, &cursor, prot, marks);
	fixture_check(f);
}

/* The guest's access, and where it faults the answer to the fault. Returns whether it did. */
static bool use(struct fixture *f, uint64_t gpa, unsigned access)
{
	bool faults = view_walk(&f->view, gpa, access).status != ORACLE_OK;

	if (faults)
		touch(f, gpa, access, NPT_ACCESSED | (access & NPT_W ? NPT_DIRTY : 0));
	view_touch(&f->view, gpa, access);
	return faults;
}

/* Where software keeps the accessed and dirty bits all start with them: begin without. */
static void begin(struct fixture *f, uint64_t gpa, uint64_t size)
{
	CHECK_ERR(test_and_clear(f, gpa, size, NPT_ACCESSED, NULL), ERR_OK);
	CHECK_ERR(test_and_clear(f, gpa, size, NPT_DIRTY, NULL), ERR_OK);
	fixture_forget_events(f);
}

static void what_was_used_is_told_once(void **state)
{
	struct fixture *f = *state;
	uint64_t bits[2] = { 0 };

	CHECK_ERR(fixture_map(f, AT, KIB(4), PAGES * PAGE_SIZE, NPT_RW), ERR_OK);
	begin(f, AT, PAGES * PAGE_SIZE);
	use(f, AT, NPT_R);
	use(f, AT + 3 * PAGE_SIZE, NPT_W);
	use(f, AT + 17 * PAGE_SIZE + 8, NPT_RW);
	use(f, AT + 31 * PAGE_SIZE, NPT_R);
	for (unsigned i = 0; i < PAGES; i++) {
		bool accessed = BIT(i) & (BIT(0) | BIT(3) | BIT(17) | BIT(31)), dirty = BIT(i) & (BIT(3) | BIT(17));
		struct npt_leaf leaf = query(f, AT + i * PAGE_SIZE);

		CHECK(leaf.accessed == accessed && leaf.dirty == dirty, "page %u", i);
		CHECK_EQ(leaf.access_tracked, !f->npt.config.hardware_ad && !accessed);
	}
	fixture_forget_events(f);
	CHECK_ERR(test_and_clear(f, AT + PAGE_SIZE, (PAGES - 1) * PAGE_SIZE, NPT_DIRTY, bits), ERR_OK);
	CHECK_EQ(bits[0], BIT(2) | BIT(16));
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
	CHECK_ERR(test_and_clear(f, AT, PAGES * PAGE_SIZE, NPT_ACCESSED, bits), ERR_OK);
	CHECK_EQ(bits[0], BIT(2) | BIT(16) | BIT(0) | BIT(3) | BIT(17) | BIT(31)); /* none is cleared */
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 2);
	memset(bits, 0, sizeof(bits));
	CHECK_ERR(test_and_clear(f, AT, PAGES * PAGE_SIZE, NPT_ACCESSED, bits), ERR_OK);
	CHECK_ERR(test_and_clear(f, AT, PAGES * PAGE_SIZE, NPT_DIRTY, bits), ERR_OK);
	CHECK_EQ(bits[0] | bits[1], 0);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 2); /* nothing was taken */
	/* And again leaves its mark. */
	use(f, AT + 3 * PAGE_SIZE, NPT_W);
	CHECK_ERR(test_and_clear(f, AT, PAGES * PAGE_SIZE, NPT_DIRTY, bits), ERR_OK);
	CHECK_EQ(bits[0], BIT(3));
}

static void software_faults_once_a_harvest(void **state)
{
	struct fixture *f = *state;

	if (f->npt.config.hardware_ad)
		return;
	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level);

		CHECK_ERR(fixture_map(f, GIB(1), 0, size, NPT_RWX), ERR_OK);
		CHECK(!use(f, GIB(1), NPT_W), "new leaves are ready for use");
		begin(f, GIB(1), size);
		expect_hole(f, GIB(1));
		CHECK(query(f, GIB(1)).access_tracked && query(f, GIB(1)).attr.prot == NPT_RX, "prot %u",
		      query(f, GIB(1)).attr.prot);
		CHECK(use(f, GIB(1), NPT_R), "no fault");
		CHECK(query(f, GIB(1)).accessed && !query(f, GIB(1)).dirty, "marks");
		CHECK(!use(f, GIB(1) + size - 1, NPT_R), "a second fault");
		CHECK(use(f, GIB(1), NPT_W), "no fault");
		CHECK(query(f, GIB(1)).dirty, "clean");
		CHECK(!use(f, GIB(1) + size - 1, NPT_W), "a second fault");
		expect_leaf(f, GIB(1), 0, level, NPT_RWX);
		CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
	}
}

/* The other operations on what is access-tracked. */
static void tracked_leaves_are_leaves(void **state)
{
	struct fixture *f = *state;
	uint64_t bits[512 / 64] = { 0 };
	struct npt_cursor cursor;
	hpa_t hpa;

	if (f->npt.config.hardware_ad)
		return;
	CHECK_ERR(fixture_map(f, MIB(2), MIB(4), MIB(2), NPT_RWX), ERR_OK);
	CHECK_ERR(test_and_clear(f, MIB(2), MIB(2), NPT_ACCESSED, NULL), ERR_OK);
	fixture_forget_events(f);
	CHECK_EQ(f->npt.leaves[1], 1);
	CHECK_EQ(npt_find(&f->npt, GPA(MIB(3)), &cursor), NPT_LEAF);
	CHECK_ERR(fixture_map(f, MIB(2), 0, KIB(4), NPT_R), ERR_EXISTS);
	CHECK_ERR(npt_translate(&f->npt, f->npt.cache, GPA(MIB(3) + 5), &hpa), ERR_OK);
	CHECK_EQ(hpa.raw, MIB(5) + 5);
	/* A split keeps it access-tracked; so do permissions. */
	CHECK_ERR(fixture_protect(f, MIB(2), KIB(8), NPT_RX), ERR_OK);
	CHECK_ERR(fixture_protect(f, MIB(2) + KIB(4), KIB(4), NPT_R), ERR_OK);
	CHECK_ERR(fixture_protect(f, MIB(2) + KIB(4), KIB(4), NPT_RW), ERR_OK);
	for (uint64_t at = MIB(2); at < MIB(4); at += KIB(4)) {
		struct npt_leaf leaf = query(f, at);

		expect_hole(f, at);
		CHECK(leaf.access_tracked && leaf.dirty && !leaf.accessed && leaf.level == 0 && leaf.hpa.raw == at + MIB(2), "%#jx",
		      (uintmax_t)at);
		CHECK_EQ(leaf.attr.prot, at == MIB(2) ? NPT_RX : at == MIB(2) + KIB(4) ? NPT_RW : NPT_RWX);
	}
	touch(f, MIB(2) + KIB(4), NPT_R, 0);
	expect_leaf(f, MIB(2) + KIB(4), MIB(4) + KIB(4), 0, NPT_RW);
	/* Dirty is told from access-tracked leaves too; they lose the permission to write. */
	CHECK_ERR(test_and_clear(f, MIB(2), MIB(2), NPT_DIRTY, bits), ERR_OK);
	for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
		CHECK_EQ(bits[i], UINT64_MAX);
	CHECK_EQ(query(f, MIB(3)).attr.prot, NPT_RX);
	CHECK(query(f, MIB(3)).access_tracked, "not tracked any more");
	CHECK_ERR(fixture_unmap(f, MIB(2), MIB(2)), ERR_OK);
	CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
}

static void large_leaves_are_told_by_the_page(void **state)
{
	struct fixture *f = *state;
	uint64_t bits[1024 / 64 + 1];

	CHECK_ERR(fixture_map(f, MIB(2), MIB(2), MIB(4), NPT_RW), ERR_OK);
	begin(f, MIB(2), MIB(4));
	use(f, MIB(4) - 1, NPT_W);
	/* Partly in the range: told of, but kept. */
	for (unsigned round = 0; round < 2; round++) {
		memset(bits, 0, sizeof(bits));
		CHECK_ERR(test_and_clear(f, MIB(2) + KIB(4), KIB(4) * 70, NPT_DIRTY, bits), ERR_OK);
		CHECK_EQ(bits[0], UINT64_MAX);
		CHECK_EQ(bits[1], BITS(5, 0));
		CHECK_EQ(bits[2], 0);
		CHECK(query(f, MIB(2)).dirty, "taken");
	}
	memset(bits, 0, sizeof(bits));
	CHECK_ERR(test_and_clear(f, MIB(2) - KIB(4), MIB(4) + KIB(4), NPT_DIRTY, bits), ERR_OK);
	CHECK_EQ(bits[0], ~BIT(0));
	for (unsigned i = 1; i < 8; i++)
		CHECK_EQ(bits[i], UINT64_MAX);
	CHECK_EQ(bits[8], BIT(0));
	CHECK_EQ(bits[9], 0);
	CHECK(!query(f, MIB(2)).dirty, "not taken");
	CHECK_EQ(f->npt.leaves[1], 2);
}

static void bad_harvests_are_refused(void **state)
{
	struct fixture *f = *state;

	CHECK_ERR(test_and_clear(f, 0, 0, NPT_DIRTY, NULL), ERR_INVALID);
	CHECK_ERR(test_and_clear(f, 1, PAGE_SIZE, NPT_DIRTY, NULL), ERR_INVALID);
	CHECK_ERR(test_and_clear(f, BIT(f->npt.config.gpa_bits), PAGE_SIZE, NPT_ACCESSED, NULL), ERR_RANGE);
	CHECK_ERR(test_and_clear(f, 0, BIT(f->npt.config.gpa_bits), NPT_ACCESSED, NULL), ERR_OK);
	CHECK_EQ(f->event_count, 0);
}

/* Permissions are added, never taken; accessed and dirty bits too. */
static void touch_only_widens(void **state)
{
	struct fixture *f = *state;
	bool hardware_ad = f->npt.config.hardware_ad;

	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		for (unsigned prot = NPT_R; prot <= NPT_RWX; prot++) {
			if (!format_has_prot(f->format, prot))
				continue;
			CHECK_ERR(fixture_map(f, GIB(1), 0, npt_level_size(level), NPT_R), ERR_OK);
			fixture_forget_events(f);
			touch(f, GIB(1), prot, 0);
			expect_leaf(f, GIB(1), 0, level, NPT_R | prot);
			CHECK_EQ(query(f, GIB(1)).accessed, !hardware_ad);
			CHECK_EQ(query(f, GIB(1)).dirty, !hardware_ad && (prot & NPT_W));
			touch(f, GIB(1), NPT_R, NPT_DIRTY);
			expect_leaf(f, GIB(1), 0, level, NPT_R | prot);
			CHECK(query(f, GIB(1)).dirty, "clean");
			touch(f, GIB(1), NPT_R, NPT_ACCESSED);
			CHECK(query(f, GIB(1)).dirty && query(f, GIB(1)).accessed, "marks");
			CHECK_EQ(f->event_count, 0);
			CHECK_ERR(fixture_unmap(f, GIB(1), npt_level_size(level)), ERR_OK);
		}
	}
}

static uint64_t entry_of(struct fixture *f, uint64_t gpa)
{
	struct npt_cursor cursor;

	CHECK_EQ(npt_find(&f->npt, GPA(gpa), &cursor), NPT_LEAF);
	return cursor.pte;
}

/* A leaf that is access-tracked, shown, changed, and access-tracked again is what it was changed to, and no more. */
static void what_was_tracked_before_says_nothing(void **state)
{
	struct fixture *f = *state;
	const bool software = !f->npt.config.hardware_ad;

	for (unsigned before = NPT_R; before <= NPT_RWX; before++)
		for (unsigned after = NPT_R; after <= NPT_RWX; after++) {
			unsigned access = after & NPT_R ? NPT_R : NPT_X;
			uint64_t fresh;

			if (!format_has_prot(f->format, before) || !format_has_prot(f->format, after))
				continue;
			CHECK_ERR(fixture_map(f, GIB(1), 0, KIB(4), before), ERR_OK);
			fresh = entry_of(f, GIB(1));
			for (unsigned round = 0; round < 2; round++) {
				CHECK_ERR(test_and_clear(f, GIB(1), KIB(4), NPT_ACCESSED, NULL), ERR_OK);
				CHECK_EQ(query(f, GIB(1)).access_tracked, software);
				CHECK_EQ(query(f, GIB(1)).attr.prot, round ? after : before);
				touch(f, GIB(1), 0, NPT_ACCESSED);
				expect_leaf(f, GIB(1), 0, 0, round ? after : before);
				if (round == 0 && software)
					CHECK_EQ(entry_of(f, GIB(1)), fresh);
				CHECK_ERR(fixture_protect(f, GIB(1), KIB(4), after), ERR_OK);
				expect_leaf(f, GIB(1), 0, 0, after);
			}
			CHECK_ERR(test_and_clear(f, GIB(1), KIB(4), NPT_ACCESSED, NULL), ERR_OK);
			CHECK_EQ(use(f, GIB(1), access), software);
			expect_leaf(f, GIB(1), 0, 0, after);
			CHECK_ERR(fixture_unmap(f, GIB(1), KIB(4)), ERR_OK);
		}
}

/* No CPU remembers an access-tracked leaf: to narrow it takes no flush, and one that is in use takes one. */
static void what_is_tracked_needs_no_flush(void **state)
{
	struct fixture *f = *state;

	CHECK_ERR(fixture_map(f, GIB(1), 0, KIB(32), NPT_RW), ERR_OK);
	CHECK_ERR(test_and_clear(f, GIB(1), KIB(32), NPT_ACCESSED, NULL), ERR_OK);
	use(f, GIB(1) + KIB(16), NPT_RW);
	fixture_forget_events(f);
	CHECK_ERR(fixture_protect(f, GIB(1), KIB(8), NPT_R), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), f->npt.config.hardware_ad);
	CHECK_ERR(fixture_protect(f, GIB(1) + KIB(12), KIB(8), NPT_R), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), f->npt.config.hardware_ad + 1u);
}

static void what_software_lets_write_is_dirty(void **state)
{
	struct fixture *f = *state;

	if (f->npt.config.hardware_ad)
		return;
	CHECK_ERR(fixture_map(f, GIB(1), 0, KIB(8), NPT_R), ERR_OK);
	CHECK(!query(f, GIB(1)).dirty, "dirty");
	CHECK_ERR(fixture_protect(f, GIB(1), KIB(4), NPT_RW), ERR_OK);
	CHECK(query(f, GIB(1)).dirty, "clean");
	CHECK_ERR(fixture_protect(f, GIB(1), KIB(4), NPT_R), ERR_OK);
	CHECK(query(f, GIB(1)).dirty && !query(f, GIB(1) + KIB(4)).dirty, "forgotten");
	CHECK_ERR(test_and_clear(f, GIB(1), KIB(8), NPT_DIRTY, NULL), ERR_OK);
	CHECK(!query(f, GIB(1)).dirty, "dirty");
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "what_was_used_is_told_once", what_was_used_is_told_once },
		{ "software_faults_once_a_harvest", software_faults_once_a_harvest },
		{ "tracked_leaves_are_leaves", tracked_leaves_are_leaves },
		{ "large_leaves_are_told_by_the_page", large_leaves_are_told_by_the_page },
		{ "bad_harvests_are_refused", bad_harvests_are_refused },
		{ "touch_only_widens", touch_only_widens },
		{ "what_was_tracked_before_says_nothing", what_was_tracked_before_says_nothing },
		{ "what_is_tracked_needs_no_flush", what_is_tracked_needs_no_flush },
		{ "what_software_lets_write_is_dirty", what_software_lets_write_is_dirty },
	};

	return format_suite("npt_marks", tests, ARRAY_LEN(tests));
}
