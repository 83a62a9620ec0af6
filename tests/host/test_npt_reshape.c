/* SPDX-License-Identifier: BSD-2-Clause */
/* Many leaves into one: collapse, which moves what they map, and merge, which need not. */
#include "tests/host/fixture.h"

static const struct npt_attr rwx = { .prot = NPT_RWX, .memtype = NPT_WB };

static struct npt_leaf query(const struct fixture *f, uint64_t gpa)
{
	struct npt_leaf leaf;

	CHECK_ERR(npt_query(&f->npt, GPA(gpa), &leaf), ERR_OK);
	return leaf;
}

/* --- Collapse --- */

struct moved {
	struct fixture *f;
	uint64_t next, count;
	unsigned level;
};

/* In between nothing is mapped, and the flush has been. */
static bool note_move(const struct npt_leaf *leaf, void *context)
{
	struct moved *moved = context;

	CHECK_EQ(fixture_count(moved->f, FAKE_FLUSH), 1);
	CHECK_EQ(fixture_count(moved->f, FAKE_FREE), 0);
	expect_hole(moved->f, leaf->gpa.raw);
	CHECK(leaf->gpa.raw >= moved->next && leaf->level == moved->level, "leaf at %#jx", (uintmax_t)leaf->gpa.raw);
	CHECK_EQ(leaf->hpa.raw, leaf->gpa.raw * 3);
	moved->next = leaf->gpa.raw + npt_level_size(leaf->level);
	moved->count++;
	return false;
}

static void not_yet_unlinked(struct fixture *f)
{
	expect_hole(f, f->meanwhile_gpa);
}

static void collapse_moves_into_one_leaf(void **state)
{
	struct fixture *f = *state;

	for (unsigned level = 1; level <= f->npt.config.max_leaf; level++) {
		uint64_t below = npt_level_size(level - 1), size = npt_level_size(level);
		const uint64_t at[] = { 0, 7 * below, 8 * below, 511 * below };
		struct moved moved = { .f = f, .level = level - 1 };

		for (unsigned i = 0; i < ARRAY_LEN(at); i++)
			CHECK_ERR(fixture_map(f, at[i], at[i] * 3, below, i == 2 ? NPT_RW : NPT_R), ERR_OK);
		fixture_forget_events(f);
		f->meanwhile = not_yet_unlinked;
		f->meanwhile_gpa = 7 * below;
		f->allocs_left = 0;
		CHECK_ERR(npt_collapse(&f->npt, GPA(300 * below + KIB(4)), level, HPA(size), rwx, note_move, &moved), ERR_OK);
		f->allocs_left = -1;
		f->meanwhile = NULL;
		fixture_check(f);
		CHECK_EQ(moved.count, 4);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
		CHECK(fixture_event(f, FAKE_FLUSH, 0)->at == 0 && fixture_event(f, FAKE_FLUSH, 0)->size == size, "flush");
		CHECK_EQ(fixture_count(f, FAKE_FREE), 1);
		expect_leaf(f, 0, size, level, NPT_RWX);
		expect_leaf(f, size - 1, 2 * size - 1, level, NPT_RWX);
		CHECK_EQ(f->npt.leaves[level], 1);
		CHECK_EQ(f->npt.leaves[level - 1], 0);
		CHECK_ERR(fixture_unmap(f, 0, size), ERR_OK);
		CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	}
}

/* A leaf that maps what it will as part of the large one, too, has not to be moved; its neighbour in its place has. */
static void what_is_in_place_is_not_moved(void **state)
{
	struct fixture *f = *state;
	struct moved moved = { .f = f };

	for (uint64_t page = 0; page < MIB(2); page += KIB(4))
		if (page % KIB(8) == 0 || page == KIB(36) ||
		    page == KIB(2044)) /* note_move expects those at three times their address */
			CHECK_ERR(fixture_map(f, MIB(4) + page, MIB(12) + page * (page % KIB(8) == 0 ? 1 : 3), KIB(4), NPT_RW),
				  ERR_OK);
	fixture_forget_events(f);
	CHECK_ERR(npt_collapse(&f->npt, GPA(MIB(4)), 1, HPA(MIB(12)), rwx, note_move, &moved), ERR_OK);
	fixture_check(f);
	CHECK_EQ(moved.count, 2);
	CHECK_EQ(f->npt.leaves[0], 0);
	expect_leaf(f, MIB(4), MIB(12), 1, NPT_RWX);
}

static void test_and_clear(struct fixture *f, uint64_t gpa, uint64_t size, enum npt_ad mark)
{
	struct npt_gather gather;

	npt_gather_init(&gather, &f->npt);
	CHECK_ERR(npt_test_and_clear(&f->npt, GPA(gpa), size, mark, NULL, &gather), ERR_OK);
	npt_gather_finish(&gather);
	fixture_check(f);
}

/* The new leaf's accessed and dirty bits: the old ones' together. 0 to 3: what one of them has. */
static void the_marks_are_kept(void **state)
{
	struct fixture *f = *state;
	const struct npt_attr attr = { .prot = NPT_R, .memtype = NPT_WB };
	bool hardware_ad = f->npt.config.hardware_ad;

	for (unsigned marks = 0; marks < 4; marks++) {
		struct npt_cursor cursor;

		CHECK_ERR(fixture_map(f, MIB(2), KIB(4), KIB(16), NPT_R), ERR_OK);
		test_and_clear(f, MIB(2), KIB(16), NPT_ACCESSED);
		CHECK_EQ(npt_find(&f->npt, GPA(MIB(2) + KIB(8)), &cursor), NPT_LEAF);
		npt_replace(&f->npt, &cursor, GPA(MIB(2) + KIB(8)), HPA(0), attr, marks);
		CHECK_ERR(npt_collapse(&f->npt, GPA(MIB(2)), 1, HPA(0), attr, NULL, NULL), ERR_OK);
		fixture_check(f);
		CHECK_EQ(query(f, MIB(2)).accessed, marks & NPT_ACCESSED);
		CHECK_EQ(query(f, MIB(2)).dirty, (marks & NPT_DIRTY) / NPT_DIRTY);
		CHECK_EQ(query(f, MIB(2)).access_tracked, !hardware_ad && !(marks & NPT_ACCESSED));
		CHECK_ERR(fixture_unmap(f, MIB(2), MIB(2)), ERR_OK);
	}
}

/* Hardware's last accessed and dirty bits come while the entry is being taken away. */
static void mark_meanwhile(struct fixture *f)
{
	struct oracle_machine m = f->view.machine;
	uint64_t bits = BIT(f->format->accessed_bit) | BIT(f->format->dirty_bit);

	m.set(m.memory, f->meanwhile_gpa, bits); /* a CPU that has the table's address may do so until the flush */
}

static void late_marks_are_kept(void **state)
{
	struct fixture *f = *state;
	struct oracle_walk walk;

	if (!f->npt.config.hardware_ad)
		return;
	CHECK_ERR(fixture_map(f, MIB(2), 0, KIB(4), NPT_RW), ERR_OK);
	walk = view_walk(&f->view, MIB(2), 0);
	f->meanwhile = mark_meanwhile;
	f->meanwhile_gpa = walk.slots[walk.depth - 1];
	CHECK_ERR(npt_collapse(&f->npt, GPA(MIB(2)), 1, HPA(MIB(2)), rwx, NULL, NULL), ERR_OK);
	f->meanwhile = NULL;
	fixture_check(f);
	CHECK(query(f, MIB(2)).accessed && query(f, MIB(2)).dirty, "lost");
}

static void what_cannot_collapse_is_left(void **state)
{
	struct fixture *f = *state;
	uint64_t top = BIT(f->npt.config.hpa_bits);
	const struct npt_attr none = { .prot = 0 }, odd = { .prot = NPT_W };
	struct image image;
	struct npt *npt = &f->npt;

	CHECK_ERR(fixture_map(f, MIB(2), KIB(4), KIB(8), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(4), MIB(4), MIB(2), NPT_RW), ERR_OK);
	fixture_forget_events(f);
	image_take(&image, &f->view);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), 0, HPA(0), rwx, NULL, NULL), ERR_INVALID);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), f->npt.config.max_leaf + 1u, HPA(0), rwx, NULL, NULL), ERR_INVALID);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), NPT_MAX_LEVELS, HPA(0), rwx, NULL, NULL), ERR_INVALID);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), 1, HPA(KIB(4)), rwx, NULL, NULL), ERR_INVALID);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), 1, HPA(0), none, NULL, NULL), ERR_INVALID);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), 1, HPA(0), odd, NULL, NULL), ERR_UNSUPPORTED);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), 1, HPA(top), rwx, NULL, NULL), ERR_RANGE);
	CHECK_ERR(npt_collapse(npt, GPA(BIT(f->npt.config.gpa_bits)), 1, HPA(0), rwx, NULL, NULL), ERR_RANGE);
	CHECK_ERR(npt_collapse(npt, GPA(MIB(4)), 1, HPA(0), rwx, NULL, NULL), ERR_NOT_FOUND); /* a leaf */
	CHECK_ERR(npt_collapse(npt, GPA(MIB(8)), 1, HPA(0), rwx, NULL, NULL), ERR_NOT_FOUND); /* nothing */
	CHECK_ERR(npt_collapse(npt, GPA(GIB(1)), 1, HPA(0), rwx, NULL, NULL), ERR_NOT_FOUND);
	if (f->npt.config.max_leaf == 2)
		CHECK_ERR(npt_collapse(npt, GPA(MIB(2)), 2, HPA(0), rwx, NULL, NULL), ERR_NOT_FOUND); /* tables */
	CHECK_EQ(f->event_count, 0);
	image_expect(&image, &f->view, "refused collapse");
}

/* A table among leaves is found wherever it is, and whatever is empty before it. */
static void tables_do_not_collapse(void **state)
{
	struct fixture *f = *state;
	const unsigned tables[] = { 0, 3, 39, 511 };

	for (unsigned i = 0; i < ARRAY_LEN(tables) && f->npt.config.max_leaf == 2; i++)
		for (unsigned leaves = 0; leaves <= 9; leaves += 9) {
			uint64_t at = tables[i] * MIB(2), first = tables[i] >= 40 ? MIB(40) : MIB(400);
			struct image image;

			CHECK_ERR(fixture_map(f, at, KIB(4), KIB(4), NPT_RW), ERR_OK);
			if (leaves > 0)
				CHECK_ERR(fixture_map(f, first, first, leaves * MIB(2), NPT_RW), ERR_OK);
			fixture_forget_events(f);
			image_take(&image, &f->view);
			CHECK_ERR(npt_collapse(&f->npt, GPA(0), 2, HPA(0), rwx, NULL, NULL), ERR_NOT_FOUND);
			CHECK_EQ(f->event_count, 0);
			image_expect(&image, &f->view, "a table among leaves");
			CHECK_ERR(fixture_unmap(f, 0, GIB(1)), ERR_OK);
		}
}

/* --- Merge --- */

/* A table full of leaves of level - 1 from `hpa` on. */
static void fill(struct fixture *f, unsigned level, uint64_t gpa, uint64_t hpa, struct npt_attr attr)
{
	CHECK_ERR(npt_map(&f->npt, GPA(gpa), HPA(hpa), npt_level_size(level), attr), ERR_OK);
	CHECK_ERR(npt_split(&f->npt, GPA(gpa), level - 1), ERR_OK);
	fixture_check(f);
	fixture_forget_events(f);
}

static void merge_undoes_a_split(void **state)
{
	struct fixture *f = *state;
	const struct npt_attr attrs[] = {
		rwx,
		{ .prot = NPT_R, .memtype = NPT_WB, .shared = true },
		{ .prot = NPT_RW, .memtype = f->format->types >> NPT_UC & 1 ? NPT_UC : NPT_WB },
	};

	for (unsigned i = 0; i < ARRAY_LEN(attrs); i++) {
		for (unsigned level = 1; level <= f->npt.config.max_leaf; level++) {
			uint64_t size = npt_level_size(level);
			struct npt_leaf leaf;

			fill(f, level, GIB(1), GIB(3), attrs[i]);
			f->allocs_left = 0;
			CHECK(npt_collapse_in_place(&f->npt, GPA(GIB(1) + size / 2 + 5), level), "not merged");
			f->allocs_left = -1;
			fixture_check(f);
			CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
			CHECK_EQ(fixture_count(f, FAKE_FREE), 1);
			leaf = query(f, GIB(1) + size - 1);
			CHECK(leaf.level == level && leaf.hpa.raw == GIB(3), "leaf");
			CHECK_EQ(leaf.attr.prot, attrs[i].prot);
			CHECK_EQ(leaf.attr.memtype, attrs[i].memtype);
			CHECK_EQ(leaf.attr.shared, attrs[i].shared);
			CHECK_EQ(leaf.accessed, !f->npt.config.hardware_ad);
			CHECK_EQ(leaf.dirty, !f->npt.config.hardware_ad && (attrs[i].prot & NPT_W));
			CHECK(!npt_collapse_in_place(&f->npt, GPA(GIB(1)), level), "merged again");
			CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
		}
	}
}

/* Marks need not be the same. */
static void merge_joins_marks(void **state)
{
	struct fixture *f = *state;

	fill(f, 1, MIB(2), MIB(8), rwx);
	if (f->npt.config.hardware_ad) {
		view_touch(&f->view, MIB(3), ORACLE_R);
		view_touch(&f->view, MIB(4) - 1, ORACLE_W);
	} else {
		test_and_clear(f, MIB(2), KIB(4), NPT_ACCESSED);
		test_and_clear(f, MIB(3), KIB(64), NPT_ACCESSED);
	}
	CHECK(npt_collapse_in_place(&f->npt, GPA(MIB(2)), 1), "not merged");
	fixture_check(f);
	CHECK(query(f, MIB(2)).accessed && query(f, MIB(2)).dirty, "marks lost");
	/* Where all are access-tracked, the one is. */
	test_and_clear(f, MIB(2), MIB(2), NPT_ACCESSED);
	CHECK_ERR(npt_split(&f->npt, GPA(MIB(2)), 0), ERR_OK);
	CHECK(npt_collapse_in_place(&f->npt, GPA(MIB(2)), 1), "not merged");
	fixture_check(f);
	CHECK_EQ(query(f, MIB(2)).accessed, false);
	CHECK_EQ(query(f, MIB(2)).access_tracked, !f->npt.config.hardware_ad);
}

static void spoil(struct fixture *f, uint64_t gpa, unsigned how)
{
	const struct npt_attr other = { .prot = NPT_R, .memtype = f->format->types >> NPT_WC & 1 ? NPT_WC : NPT_WB };
	struct npt_leaf leaf = query(f, gpa);
	struct npt_cursor cursor;

	CHECK_EQ(npt_find(&f->npt, GPA(gpa), &cursor), NPT_LEAF);
	switch (how) {
	case 0:
		CHECK_ERR(fixture_unmap(f, gpa, KIB(4)), ERR_OK);
		break;
	case 1:
		CHECK_ERR(fixture_protect(f, gpa, KIB(4), NPT_R), ERR_OK);
		break;
	case 2:
		npt_replace(&f->npt, &cursor, GPA(gpa), HPA(leaf.hpa.raw + KIB(4)), leaf.attr, 3);
		break;
	case 3:
		npt_replace(&f->npt, &cursor, GPA(gpa), leaf.hpa, other, 3);
		break;
	default:
		leaf.attr.shared = true;
		leaf.attr.prot = NPT_RX;
		npt_replace(&f->npt, &cursor, GPA(gpa), leaf.hpa, leaf.attr, 3);
		break;
	}
	fixture_check(f);
}

static void what_differs_is_not_merged(void **state)
{
	struct fixture *f = *state;
	const uint64_t pages[] = { 0, 1, 2, 255, 510, 511 };

	for (unsigned how = 0; how < 5; how++) {
		for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
			struct image image;

			fill(f, 1, MIB(2), MIB(6), rwx);
			spoil(f, MIB(2) + pages[i] * KIB(4), how);
			fixture_forget_events(f);
			image_take(&image, &f->view);
			CHECK(!npt_collapse_in_place(&f->npt, GPA(MIB(2)), 1), "merged, though page %ju is spoilt",
			      (uintmax_t)pages[i]);
			CHECK_EQ(f->event_count, 0);
			image_expect(&image, &f->view, "a merge that must not be");
			CHECK_ERR(fixture_unmap(f, MIB(2), MIB(2)), ERR_OK);
		}
	}
}

static void what_cannot_be_a_leaf_is_not_merged(void **state)
{
	struct fixture *f = *state;
	uint64_t end = BIT(f->npt.config.gpa_bits);

	CHECK_ERR(fixture_map(f, MIB(2), MIB(2) + KIB(4), MIB(2), NPT_RW), ERR_OK); /* contiguous, not aligned */
	CHECK(!npt_collapse_in_place(&f->npt, GPA(MIB(2)), 1), "misaligned");
	CHECK(!npt_collapse_in_place(&f->npt, GPA(MIB(8)), 1), "nothing there");
	CHECK(!npt_collapse_in_place(&f->npt, GPA(0), 0), "a page");
	CHECK(!npt_collapse_in_place(&f->npt, GPA(0), f->npt.config.max_leaf + 1u), "too large");
	CHECK(!npt_collapse_in_place(&f->npt, GPA(end), 1), "out of the space");
	CHECK(!npt_collapse_in_place(&f->npt, GPA(MIB(2)), f->npt.config.max_leaf == 2 ? 2 : 1), "tables");
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 0);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "collapse_moves_into_one_leaf", collapse_moves_into_one_leaf },
		{ "what_is_in_place_is_not_moved", what_is_in_place_is_not_moved },
		{ "the_marks_are_kept", the_marks_are_kept },
		{ "late_marks_are_kept", late_marks_are_kept },
		{ "what_cannot_collapse_is_left", what_cannot_collapse_is_left },
		{ "tables_do_not_collapse", tables_do_not_collapse },
		{ "merge_undoes_a_split", merge_undoes_a_split },
		{ "merge_joins_marks", merge_joins_marks },
		{ "what_differs_is_not_merged", what_differs_is_not_merged },
		{ "what_cannot_be_a_leaf_is_not_merged", what_cannot_be_a_leaf_is_not_merged },
	};

	return format_suite("npt_reshape", tests, ARRAY_LEN(tests));
}
