/* SPDX-License-Identifier: BSD-2-Clause */
/* Leaves onto memory that is somebody else's too, and the two ways there and back: clone and replace. */
#include "tests/host/fixture.h"

#include <string.h>

static struct npt_leaf query(const struct fixture *f, uint64_t gpa)
{
	struct npt_leaf leaf;

	CHECK_ERR(npt_query(&f->npt, GPA(gpa), &leaf), ERR_OK);
	return leaf;
}

static void map_shared(struct fixture *f, uint64_t gpa, uint64_t hpa, uint64_t size)
{
	const struct npt_attr attr = { .prot = NPT_R, .memtype = NPT_WB, .shared = true };

	CHECK_ERR(npt_map(&f->npt, GPA(gpa), HPA(hpa), size, attr), ERR_OK);
	fixture_check(f);
}

static void shared_is_never_writable(void **state)
{
	struct fixture *f = *state;
	const struct npt_attr writable = { .prot = NPT_RW, .memtype = NPT_WB, .shared = true };
	struct npt_cursor cursor;

	CHECK_ERR(npt_check(&f->npt, writable), ERR_INVALID);
	CHECK_ERR(npt_map(&f->npt, GPA(0), HPA(0), PAGE_SIZE, writable), ERR_INVALID);
	CHECK_EQ(npt_find(&f->npt, GPA(0), &cursor), NPT_EMPTY);
	CHECK_ERR(npt_map_at(&f->npt, &cursor, GPA(0), 0, HPA(0), writable), ERR_INVALID);
	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level);

		map_shared(f, GIB(1), 0, size);
		CHECK(query(f, GIB(1)).attr.shared, "not shared");
		expect_leaf(f, GIB(1), 0, level, NPT_R);
		CHECK_ERR(fixture_protect(f, GIB(1), size, NPT_RWX), ERR_OK);
		expect_leaf(f, GIB(1), 0, level, NPT_RX);
		CHECK(query(f, GIB(1)).attr.shared && !query(f, GIB(1)).dirty, "not shared, or dirty");
		CHECK_ERR(fixture_protect(f, GIB(1), size, NPT_RW), ERR_OK);
		expect_leaf(f, GIB(1), 0, level, NPT_R);
		/* Only a touch that grants it ends the sharing. */
		CHECK_EQ(npt_find(&f->npt, GPA(GIB(1)), &cursor), NPT_LEAF);
		npt_touch(&f->npt, &cursor, NPT_RX, 0);
		CHECK(query(f, GIB(1)).attr.shared, "not shared");
		fixture_forget_events(f);
		npt_touch(&f->npt, &cursor, NPT_RW, NPT_ACCESSED | NPT_DIRTY);
		fixture_check(f);
		CHECK_EQ(f->event_count, 0);
		expect_leaf(f, GIB(1), 0, level, NPT_RWX);
		CHECK(!query(f, GIB(1)).attr.shared, "shared");
		CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
	}
}

static void parts_of_shared_leaves_are_shared(void **state)
{
	struct fixture *f = *state;

	map_shared(f, MIB(2), MIB(8), MIB(2));
	CHECK_ERR(npt_split(&f->npt, GPA(MIB(3)), 0), ERR_OK);
	fixture_check(f);
	for (uint64_t at = MIB(2); at < MIB(4); at += KIB(4)) {
		CHECK(query(f, at).attr.shared, "%#jx is not", (uintmax_t)at);
		CHECK_EQ(query(f, at).hpa.raw, at + MIB(6));
	}
}

/* --- Replace --- */

/* With another CPU looking: at the flush there is neither the old leaf nor the new one. */
static void see_replaced(struct fixture *f)
{
	struct oracle_walk walk = view_walk(&f->view, f->meanwhile_gpa, 0);

	CHECK_EQ(walk.status, ORACLE_NOT_PRESENT);
}

static void replace_moves_a_leaf(void **state)
{
	struct fixture *f = *state;

	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level), at = GIB(1) + align_down(size / 3, PAGE_SIZE);
		const struct npt_attr attr = { .prot = NPT_RWX, .memtype = NPT_WB };
		struct npt_cursor cursor;

		map_shared(f, GIB(1), 0, size);
		CHECK_EQ(npt_find(&f->npt, GPA(at), &cursor), NPT_LEAF);
		fixture_forget_events(f);
		f->meanwhile = see_replaced;
		f->meanwhile_gpa = at;
		npt_replace(&f->npt, &cursor, GPA(at), HPA(GIB(2)), attr, NPT_ACCESSED | NPT_DIRTY);
		f->meanwhile = NULL;
		fixture_check(f);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
		CHECK_EQ(fixture_event(f, FAKE_FLUSH, 0)->at, GIB(1));
		CHECK_EQ(fixture_event(f, FAKE_FLUSH, 0)->size, size);
		expect_leaf(f, at, GIB(2) + at - GIB(1), level, NPT_RWX);
		CHECK(!query(f, at).attr.shared && query(f, at).accessed && query(f, at).dirty, "attributes");
		CHECK_EQ(f->npt.leaves[level], 1);
		CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
	}
}

static void replace_takes_the_marks_it_is_given(void **state)
{
	struct fixture *f = *state;
	bool hardware_ad = f->npt.config.hardware_ad;

	for (unsigned marks = 0; marks < 4; marks++) {
		const struct npt_attr attr = { .prot = NPT_R, .memtype = NPT_WB, .shared = marks & 1 };
		struct npt_cursor cursor;

		CHECK_ERR(fixture_map(f, GIB(1), 0, PAGE_SIZE, NPT_RW), ERR_OK);
		CHECK_EQ(npt_find(&f->npt, GPA(GIB(1)), &cursor), NPT_LEAF);
		npt_replace(&f->npt, &cursor, GPA(GIB(1)), HPA(KIB(8)), attr, marks);
		fixture_check(f);
		CHECK_EQ(query(f, GIB(1)).accessed, marks & NPT_ACCESSED);
		CHECK_EQ(query(f, GIB(1)).dirty, (marks & NPT_DIRTY) / NPT_DIRTY);
		CHECK_EQ(query(f, GIB(1)).access_tracked, !hardware_ad && !(marks & NPT_ACCESSED));
		CHECK_EQ(query(f, GIB(1)).attr.shared, marks & 1);
		CHECK_EQ(query(f, GIB(1)).hpa.raw, KIB(8));
		/* Of what no CPU can have seen it need not forget anything. */
		fixture_forget_events(f);
		CHECK_EQ(npt_find(&f->npt, GPA(GIB(1)), &cursor), NPT_LEAF);
		npt_replace(&f->npt, &cursor, GPA(GIB(1)), HPA(KIB(12)), attr, NPT_ACCESSED);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), hardware_ad || (marks & NPT_ACCESSED) ? 1 : 0);
		expect_leaf(f, GIB(1), KIB(12), 0, NPT_R);
		CHECK_ERR(fixture_unmap(f, GIB(1), PAGE_SIZE), ERR_OK);
	}
}

/* --- Clone --- */

/* The leaves that clone is about to share; the child must not have them yet. */
struct clones {
	struct fixture *parent, *child;
	uint64_t hpa[4096];
	unsigned level[4096];
	size_t count;
	bool look;
};

static void note_clone(hpa_t hpa, unsigned level, void *context)
{
	struct clones *clones = context;

	CHECK(clones->count < ARRAY_LEN(clones->hpa), "too many leaves");
	clones->hpa[clones->count] = hpa.raw;
	clones->level[clones->count++] = level;
	if (clones->look) {
		struct npt *child = &clones->child->npt;

		CHECK_EQ(child->leaves[0] + child->leaves[1] + child->leaves[2], 0);
		expect_hole(clones->child, MIB(6));
	}
}

static enum err clone(struct clones *clones, uint64_t gpa, uint64_t size, bool share)
{
	struct fixture *f = clones->parent;
	struct npt_gather gather;
	enum err err;

	clones->count = 0;
	npt_gather_init(&gather, &f->npt);
	err = npt_clone(&f->npt, &clones->child->npt, GPA(gpa), size, share, &gather, note_clone, clones);
	npt_gather_finish(&gather);
	fixture_check(f);
	fixture_check(clones->child);
	return err;
}

static struct clones *clones_new(struct fixture *f)
{
	struct clones *clones = test_calloc(1, sizeof(*clones));

	clones->parent = f;
	clones->child = fixture_new(f->format);
	return clones;
}

static void clones_free(struct clones *clones)
{
	fixture_free(clones->child);
	test_free(clones);
}

/* A little of everything: pages, large leaves, read-only, executable, shared, of another type, and holes. */
static void furnish(struct fixture *f)
{
	const struct npt_attr odd = { .prot = NPT_RW, .memtype = f->format->types >> NPT_WC & 1 ? NPT_WC : NPT_WB };

	CHECK_ERR(fixture_map(f, KIB(4), MIB(32), KIB(12), NPT_RWX), ERR_OK);
	CHECK_ERR(fixture_map(f, KIB(16), MIB(1), KIB(4), NPT_R), ERR_OK);
	map_shared(f, MIB(1), KIB(16), KIB(4));
	CHECK_ERR(fixture_map(f, MIB(4), MIB(16), MIB(4), NPT_RW), ERR_OK);
	map_shared(f, MIB(8), 0, MIB(2));
	CHECK_ERR(fixture_map(f, MIB(12), MIB(64), KIB(8), NPT_RX), ERR_OK);
	CHECK_ERR(npt_map(&f->npt, GPA(GIB(1)), HPA(GIB(1)), GIB(1), odd), ERR_OK);
	CHECK_ERR(npt_split_at_boundaries(&f->npt, GPA(GIB(1)), GIB(1) - MIB(2)), ERR_OK);
	fixture_check(f);
}

static void use_some(struct fixture *f)
{
	struct npt_gather gather;

	if (f->npt.config.hardware_ad) {
		view_touch(&f->view, KIB(4), ORACLE_R);
		view_touch(&f->view, KIB(8), ORACLE_W);
		view_touch(&f->view, MIB(5), ORACLE_W);
		return;
	}
	npt_gather_init(&gather, &f->npt);
	CHECK_ERR(npt_test_and_clear(&f->npt, GPA(KIB(8)), KIB(4), NPT_ACCESSED, NULL, &gather), ERR_OK);
	CHECK_ERR(npt_test_and_clear(&f->npt, GPA(KIB(12)), KIB(4), NPT_DIRTY, NULL, &gather), ERR_OK);
	CHECK_ERR(npt_test_and_clear(&f->npt, GPA(MIB(4)), MIB(2), NPT_ACCESSED, NULL, &gather), ERR_OK);
	npt_gather_finish(&gather);
	fixture_check(f);
}

struct listed {
	struct npt_leaf leaves[4096];
	size_t count;
};

static bool list_leaf(const struct npt_leaf *leaf, void *context)
{
	struct listed *listed = context;

	CHECK(listed->count < ARRAY_LEN(listed->leaves), "too many leaves");
	listed->leaves[listed->count++] = *leaf;
	return true;
}

static struct listed *list(struct fixture *f)
{
	struct listed *listed = test_calloc(1, sizeof(*listed));

	CHECK_ERR(npt_walk(&f->npt, GPA(0), GIB(2), list_leaf, listed), ERR_OK);
	return listed;
}

/* Is `now` what `before` was, but for what sharing does to it? */
static void expect_cloned(const struct npt_leaf *before, const struct npt_leaf *now, bool share)
{
	CHECK(now->gpa.raw == before->gpa.raw && now->hpa.raw == before->hpa.raw && now->level == before->level, "leaf at %#jx",
	      (uintmax_t)now->gpa.raw);
	CHECK_EQ(now->attr.prot, share ? before->attr.prot & NPT_RX : before->attr.prot);
	CHECK_EQ(now->attr.memtype, before->attr.memtype);
	CHECK_EQ(now->attr.shared, share || before->attr.shared);
	CHECK_EQ(now->accessed, before->accessed);
	CHECK_EQ(now->dirty, before->dirty);
	CHECK_EQ(now->access_tracked, before->access_tracked);
}

static void clone_everything(struct fixture *f, bool share)
{
	struct clones *clones = clones_new(f);
	struct listed *before, *parent, *child;

	furnish(f);
	use_some(f);
	before = list(f);
	fixture_forget_events(f);
	CHECK_ERR(clone(clones, 0, GIB(2), share), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), share ? 1 : 0);
	CHECK_EQ(fixture_count(clones->child, FAKE_FLUSH), 0);
	parent = list(f);
	child = list(clones->child);
	CHECK_EQ(parent->count, before->count);
	CHECK_EQ(child->count, before->count);
	CHECK_EQ(clones->count, before->count);
	for (size_t i = 0; i < before->count; i++) {
		expect_cloned(&before->leaves[i], &parent->leaves[i], share);
		expect_cloned(&before->leaves[i], &child->leaves[i], share);
		CHECK(clones->hpa[i] == before->leaves[i].hpa.raw && clones->level[i] == before->leaves[i].level, "told of %#jx",
		      (uintmax_t)clones->hpa[i]);
	}
	CHECK_EQ(clones->child->npt.table_bytes, f->npt.table_bytes);
	/* Again there is nothing to narrow, and no room in the child. */
	fixture_forget_events(f);
	CHECK_ERR(clone(clones, 0, GIB(2), share), ERR_EXISTS);
	CHECK_EQ(clones->count, 0);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 0);
	/* Neither has anything of the other's tables. */
	CHECK_ERR(fixture_unmap(f, 0, GIB(2)), ERR_OK);
	fixture_check(clones->child);
	test_free(before);
	test_free(parent);
	test_free(child);
	clones_free(clones);
}

static void clones_share(void **state)
{
	clone_everything(*state, true);
}

static void copies_of_a_map_are_exact(void **state)
{
	clone_everything(*state, false);
}

static void the_child_comes_last(void **state)
{
	struct fixture *f = *state;
	struct clones *clones = clones_new(f);

	clones->look = true;
	CHECK_ERR(fixture_map(f, MIB(6), MIB(2), MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(clone(clones, MIB(4), MIB(4), true), ERR_OK);
	CHECK_EQ(clones->count, 1);
	expect_leaf(clones->child, MIB(6), MIB(2), 1, NPT_R);
	clones_free(clones);
}

static void clones_of_parts(void **state)
{
	struct fixture *f = *state;
	struct clones *clones = clones_new(f);
	uint64_t end = BIT(f->npt.config.gpa_bits);

	CHECK_ERR(clone(clones, 0, end, true), ERR_OK);
	CHECK_EQ(clones->child->npt.table_bytes, PAGE_SIZE << f->npt.root_order); /* no tables for nothing */
	CHECK_ERR(clone(clones, 0, 0, true), ERR_INVALID);
	CHECK_ERR(clone(clones, 1, PAGE_SIZE, true), ERR_INVALID);
	CHECK_ERR(clone(clones, end, PAGE_SIZE, true), ERR_RANGE);
	CHECK_ERR(fixture_map(f, MIB(2), MIB(3), MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(clone(clones, MIB(2) + KIB(8), KIB(8), true), ERR_OK);
	CHECK_EQ(clones->count, 2);
	expect_leaf(f, MIB(2) + KIB(4), MIB(3) + KIB(4), 0, NPT_RW);
	expect_leaf(f, MIB(2) + KIB(8), MIB(3) + KIB(8), 0, NPT_R);
	expect_leaf(f, MIB(2) + KIB(16), MIB(3) + KIB(16), 0, NPT_RW);
	expect_hole(clones->child, MIB(2) + KIB(4));
	expect_leaf(clones->child, MIB(2) + KIB(12), MIB(3) + KIB(12), 0, NPT_R);
	/* Around them, in the table that is there now: what is in the way is found, and what is before it stays. */
	CHECK_ERR(clone(clones, MIB(2), KIB(8), true), ERR_OK);
	CHECK_ERR(clone(clones, MIB(2) + KIB(16), MIB(2) - KIB(16), true), ERR_OK);
	CHECK_EQ(clones->child->npt.leaves[0], 512);
	CHECK_ERR(fixture_unmap(clones->child, MIB(2), KIB(12)), ERR_OK);
	CHECK_ERR(clone(clones, MIB(2), MIB(2), true), ERR_EXISTS);
	CHECK_EQ(clones->count, 3);
	CHECK_EQ(clones->child->npt.leaves[0], 512);
	clones_free(clones);
}

/* A larger leaf in the child's way, and a table where a large leaf should go. */
static void clones_run_into_other_shapes(void **state)
{
	struct fixture *f = *state;
	struct clones *clones = clones_new(f);

	CHECK_ERR(fixture_map(f, MIB(2), KIB(4), KIB(8), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(4), 0, MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(clones->child, MIB(2), 0, MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(clones->child, MIB(5), 0, KIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(clone(clones, MIB(2), MIB(2), true), ERR_EXISTS);
	CHECK_ERR(clone(clones, MIB(4), MIB(2), true), ERR_EXISTS);
	CHECK_EQ(clones->count, 0);
	clones_free(clones);
}

/* No memory for the child's tables, in turn each of them: it has what was told of, no more and no less. */
static void clones_run_out_of_memory(void **state)
{
	struct fixture *f = *state;
	struct clones *clones = clones_new(f);
	enum err err = ERR_NO_MEMORY;

	furnish(f);
	for (long allowed = 0; err != ERR_OK; allowed++) {
		struct listed *child;

		CHECK(allowed < 100, "it never succeeds");
		clones->child->allocs_left = allowed;
		err = clone(clones, 0, GIB(2), true);
		clones->child->allocs_left = -1;
		CHECK(err == ERR_OK || err == ERR_NO_MEMORY, "%s", host_err(err));
		child = list(clones->child);
		CHECK_EQ(child->count, clones->count);
		for (size_t i = 0; i < child->count; i++)
			CHECK_EQ(child->leaves[i].hpa.raw, clones->hpa[i]);
		test_free(child);
		CHECK_ERR(fixture_unmap(clones->child, 0, GIB(2)), ERR_OK);
		CHECK_EQ(clones->child->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
		fixture_forget_events(f);
		fixture_forget_events(clones->child);
	}
	clones_free(clones);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "shared_is_never_writable", shared_is_never_writable },
		{ "parts_of_shared_leaves_are_shared", parts_of_shared_leaves_are_shared },
		{ "replace_moves_a_leaf", replace_moves_a_leaf },
		{ "replace_takes_the_marks_it_is_given", replace_takes_the_marks_it_is_given },
		{ "clones_share", clones_share },
		{ "copies_of_a_map_are_exact", copies_of_a_map_are_exact },
		{ "the_child_comes_last", the_child_comes_last },
		{ "clones_of_parts", clones_of_parts },
		{ "clones_run_into_other_shapes", clones_run_into_other_shapes },
		{ "clones_run_out_of_memory", clones_run_out_of_memory },
	};

	return format_suite("npt_share", tests, ARRAY_LEN(tests));
}
