/* SPDX-License-Identifier: BSD-2-Clause */
/* Spaces that share memory until one of them writes to it: who sees what, who owns what, and what is left in the end. */
#include "tests/host/space.h"

#include <string.h>

#define LAST 4095 /* byte of a page */

/* Pages [0, 64) by single leaves, a block at MIB(2), and 4 KiB that nobody has touched behind each. */
static void furnish(struct space *s)
{
	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2) + KIB(4), NPT_RWX, ALLOC_LAZY_2M), ERR_OK);
	for (unsigned page = 0; page < 64; page++) {
		space_store(s, page * PAGE_SIZE, (uint8_t)(page + 1));
		space_store(s, page * PAGE_SIZE + LAST, (uint8_t)(page + 100));
	}
	for (unsigned page = 0; page < 512; page += 8) {
		space_store(s, MIB(2) + page * PAGE_SIZE, (uint8_t)(page / 8 + 1));
		space_store(s, MIB(2) + page * PAGE_SIZE + LAST, (uint8_t)(page / 8 + 100));
	}
	CHECK_EQ(space_stats(s).resident, KIB(256) + MIB(2));
}

static void expect_furniture(struct space *s)
{
	for (unsigned page = 0; page < 64; page++) {
		CHECK_EQ(space_load(s, page * PAGE_SIZE), page + 1);
		CHECK_EQ(space_load(s, page * PAGE_SIZE + LAST), page + 100);
	}
	for (unsigned page = 0; page < 512; page++) {
		CHECK_EQ(space_load(s, MIB(2) + page * PAGE_SIZE), page % 8 ? 0 : page / 8 + 1);
		CHECK_EQ(space_load(s, MIB(2) + page * PAGE_SIZE + LAST), page % 8 ? 0 : page / 8 + 100);
	}
}

static struct space *forked(struct space *parent)
{
	struct space *child;

	CHECK_ERR(space_fork(parent, &child), ERR_OK);
	return child;
}

static void a_child_costs_tables_only(void **state)
{
	struct space *s = *state, *child;
	uint64_t free, flushes;

	furnish(s);
	CHECK_EQ(space_fault(s, MIB(4), NPT_R), FAULT_HANDLED);
	free = ram_free_bytes();
	flushes = s->flushes;
	child = forked(s);
	CHECK_EQ(s->flushes, flushes + 1);
	/* Its tables, and a frame in reserve. */
	CHECK_EQ(free - ram_free_bytes(), child->as.npt.table_bytes + PAGE_SIZE);
	/* The table of pages is the parent's, and both have it. */
	CHECK_EQ(child->as.npt.table_bytes, s->as.npt.table_bytes - PAGE_SIZE);
	CHECK_EQ(child->as.npt.shared_tables, 1);
	CHECK_EQ(s->as.npt.shared_tables, 1);
	CHECK_EQ(space_stats(s).resident, KIB(256) + MIB(2));
	CHECK_EQ(space_stats(s).shared, 0);
	CHECK_EQ(space_stats(child).resident, 0);
	CHECK_EQ(space_stats(child).resident_peak, 0);
	CHECK_EQ(space_stats(child).shared, KIB(256) + MIB(2));
	CHECK_EQ(space_stats(child).zero_leaves[0], 1);
	CHECK_EQ(space_level(child, MIB(2)), 1);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	for (uint64_t at = 0; at < MIB(4); at += PAGE_SIZE) {
		CHECK_EQ(view_walk(&child->view, at, 0).status, view_walk(&s->view, at, 0).status);
		CHECK_EQ(view_walk(&child->view, at, 0).hpa, view_walk(&s->view, at, 0).hpa);
		CHECK(!space_allows(child, at, NPT_W) && !space_allows(s, at, NPT_W), "writable at %#jx", (uintmax_t)at);
	}
	CHECK(space_allows(child, MIB(2), NPT_X) && !space_allows(child, 0, NPT_X), "permissions");
	expect_furniture(child);
	expect_furniture(s);
	/* The areas are the same: what is to come comes, and what is not allowed is not. */
	CHECK_EQ(space_fault(child, KIB(256), NPT_W), FAULT_HANDLED);
	CHECK(!space_allows(s, KIB(256), 0), "the child's memory in the parent");
	CHECK_EQ(space_fault(child, 0, NPT_X), FAULT_DENIED);
	CHECK_EQ(space_fault(child, MIB(4) + KIB(4), NPT_R), FAULT_UNMAPPED);
}

/* Whoever writes first gets the copy; the other one then has the page for itself again. */
static void the_first_writer_gets_a_copy(void **state)
{
	struct space *s = *state, *child, *writer[2];

	furnish(s);
	child = forked(s);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t page = i * PAGE_SIZE, kept;
		struct addr_space_stats first, second;
		struct npt_leaf leaf = { 0 };

		writer[0] = i ? child : s;
		writer[1] = i ? s : child;
		first = space_stats(writer[0]);
		second = space_stats(writer[1]);
		CHECK_EQ(space_fault(writer[0], page + 8, NPT_W), FAULT_HANDLED);
		CHECK(space_allows(writer[0], page, NPT_RW) && !space_allows(writer[1], page, NPT_W), "who may write");
		CHECK_ERR(addr_space_query(&writer[0]->as, GPA(page), &leaf), ERR_OK);
		CHECK(leaf.accessed && leaf.dirty && !leaf.attr.shared, "the CPU need not set them at the write");
		CHECK_EQ(*space_byte(writer[0], page), i + 1);
		CHECK_EQ(*space_byte(writer[0], page + LAST), i + 100);
		CHECK_EQ(*space_byte(writer[0], page + 2000), 0);
		space_store(writer[0], page, 200);
		space_store(writer[0], page + LAST, 201);
		CHECK_EQ(space_load(writer[1], page), i + 1);
		CHECK_EQ(space_load(writer[1], page + LAST), i + 100);
		CHECK_EQ(space_stats(writer[0]).handled_copy, first.handled_copy + 1);
		kept = view_walk(&writer[1]->view, page, 0).hpa;
		CHECK_EQ(space_fault(writer[1], page, NPT_W), FAULT_HANDLED);
		CHECK_EQ(view_walk(&writer[1]->view, page, 0).hpa, kept);
		CHECK_ERR(addr_space_query(&writer[1]->as, GPA(page), &leaf), ERR_OK);
		CHECK(leaf.accessed && leaf.dirty && leaf.attr.prot == NPT_RW && !leaf.attr.shared, "as after a write");
		CHECK_EQ(space_stats(writer[1]).handled_reuse, second.handled_reuse + 1);
		CHECK_EQ(space_stats(writer[1]).handled_copy, second.handled_copy);
		space_store(writer[1], page, 100);
		CHECK_EQ(space_load(writer[0], page), 200);
		CHECK_EQ(space_stats(child).resident, (i + 1) * PAGE_SIZE);
		CHECK_EQ(space_stats(child).shared, KIB(256) + MIB(2) - (i + 1) * PAGE_SIZE);
		CHECK_EQ(space_stats(s).resident, KIB(256) + MIB(2));
		CHECK_EQ(space_stats(s).shared, 0);
	}
}

/* The page that a child is getting a copy of. */
static uint64_t left_behind;

static void expect_still_shared(struct space *s)
{
	(void)s;
	CHECK(frame_is_shared(HPA(left_behind), 0), "given up while CPUs still read it");
}

/* Else the other side could take it over, and write, before the last CPU of this side has let go. */
static void a_page_is_given_up_after_the_flush(void **state)
{
	struct space *s = *state, *child;

	furnish(s);
	child = forked(s);
	left_behind = view_walk(&child->view, KIB(4), 0).hpa;
	child->meanwhile = expect_still_shared;
	CHECK_EQ(space_fault(child, KIB(4), NPT_W), FAULT_HANDLED);
	CHECK(!child->meanwhile, "nothing was flushed");
	CHECK(!frame_is_shared(HPA(left_behind), 0), "it is still shared");
}

static void a_large_leaf_is_copied_by_pages(void **state)
{
	struct space *s = *state, *child;

	furnish(s);
	child = forked(s);
	CHECK_EQ(space_fault(child, MIB(2) + KIB(32), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(child, MIB(2)), 0);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(child).split, 1);
	CHECK_EQ(space_stats(child).resident, PAGE_SIZE);
	CHECK(!space_allows(child, MIB(2), NPT_W) && space_allows(child, MIB(2) + KIB(32), NPT_RWX), "one page");
	space_store(child, MIB(2) + KIB(32), 77);
	CHECK_EQ(space_load(s, MIB(2) + KIB(32)), 2);
	/* The parent's is still in use, all but one page of it. */
	CHECK_EQ(space_fault(s, MIB(2) + KIB(32), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).handled_reuse, 1);
	CHECK_EQ(space_fault(s, MIB(2), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).handled_copy, 1);
	space_store(s, MIB(2), 78);
	CHECK_EQ(space_load(child, MIB(2)), 1);
	space_end(child);
	/* Nobody else has it any more: written where it is, to the last page. */
	for (unsigned page = 0; page < 512; page++)
		space_store(s, MIB(2) + page * PAGE_SIZE + 1, 5);
	space_check(s);
	CHECK_EQ(space_stats(s).handled_copy, 1);
	CHECK_EQ(space_stats(s).resident, KIB(256) + MIB(2));
	CHECK_EQ(*space_byte(s, MIB(2)), 78);
	CHECK_EQ(*space_byte(s, MIB(2) + KIB(64)), 3);
}

static void a_large_leaf_of_ones_own_is_taken_whole(void **state)
{
	struct space *s = *state, *child;

	furnish(s);
	child = forked(s);
	space_end(child);
	CHECK_EQ(space_fault(s, MIB(3), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(s).handled_reuse, 1);
	CHECK_EQ(space_stats(s).split, 0);
	expect_furniture(s);
	/* The heir of a parent that is gone takes it over. */
	child = forked(s);
	space_end(s);
	CHECK_EQ(space_stats(child).resident, 0);
	CHECK_EQ(space_stats(child).shared, KIB(256) + MIB(2));
	expect_furniture(child);
	CHECK_EQ(space_fault(child, MIB(3), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(child, MIB(2)), 1);
	CHECK_EQ(space_stats(child).resident, MIB(2));
	CHECK_EQ(space_stats(child).shared, KIB(256));
	for (uint64_t page = 0; page < 3; page++) { /* how the others look is known from the first one */
		CHECK_EQ(space_fault(child, page * PAGE_SIZE, NPT_W), FAULT_HANDLED);
		CHECK_EQ(space_stats(child).resident, MIB(2) + (page + 1) * PAGE_SIZE);
		CHECK_EQ(space_stats(child).shared, KIB(256) - (page + 1) * PAGE_SIZE);
		CHECK_EQ(space_stats(child).handled_reuse, page + 2);
	}
	CHECK_EQ(space_stats(child).handled_copy, 0);
	expect_furniture(child);
}

/* A family of four, that ends in every order. */
static void a_family_may_end_in_any_order(void **state)
{
	struct space *s = *state;
	struct host_rng rng = host_rng("a_family_may_end_in_any_order", 7);

	furnish(s);
	for (unsigned round = 0; round < 6; round++) {
		struct space *kin[3] = { forked(s) };

		space_store(kin[0], KIB(4), 10);
		space_store(kin[0], MIB(2) + KIB(32), 10);
		kin[1] = forked(kin[0]);
		kin[2] = forked(s);
		space_store(s, KIB(12), 4);
		space_store(kin[1], KIB(4), 11);
		space_store(kin[1], KIB(8), 12);
		space_store(kin[2], MIB(2) + KIB(64), 13);
		space_check(s);
		CHECK_EQ(space_load(kin[0], KIB(4)), 10);
		CHECK_EQ(space_load(kin[0], KIB(8)), 3);
		CHECK_EQ(space_load(kin[1], MIB(2) + KIB(32)), 10);
		CHECK_EQ(space_load(kin[2], KIB(4)), 2);
		CHECK_EQ(space_load(kin[2], MIB(2) + KIB(32)), 2);
		for (unsigned left = 3; left > 0; left--) {
			unsigned last = (unsigned)host_below(&rng, left);
			struct space *end = kin[last];

			kin[last] = kin[left - 1];
			space_end(end);
			for (unsigned i = 0; i < left - 1; i++) {
				space_store(kin[i], KIB(100), (uint8_t)left);
				CHECK_EQ(space_load(kin[i], KIB(16)), 5);
			}
		}
		expect_furniture(s);
	}
	space_clear(s);
	CHECK_EQ(space_stats(s).resident + space_stats(s).shared, 0);
}

/* All that can be done to a range, on either side, is nothing to the other side. */
static void changes_are_ones_own(void **state)
{
	struct space *s = *state;

	for (unsigned by_child = 0; by_child < 2; by_child++) {
		struct space *child, *actor, *other;

		furnish(s);
		child = forked(s);
		actor = by_child ? child : s;
		other = by_child ? s : child;
		CHECK_ERR(space_unmap(actor, KIB(4), KIB(4)), ERR_OK);
		CHECK_ERR(space_discard(actor, KIB(8), KIB(4)), ERR_OK);
		CHECK_ERR(space_protect(actor, KIB(12), KIB(8), NPT_R), ERR_OK);
		CHECK_ERR(space_discard(actor, MIB(2) + KIB(32), KIB(32)), ERR_OK);
		CHECK_ERR(space_unmap(actor, MIB(3), KIB(64)), ERR_OK);
		CHECK_EQ(space_fault(actor, KIB(4), NPT_R), FAULT_UNMAPPED);
		CHECK_EQ(space_load(actor, KIB(8)), 0);
		CHECK_EQ(space_fault(actor, KIB(12), NPT_W), FAULT_DENIED);
		CHECK_EQ(space_load(actor, MIB(2) + KIB(32)), 0);
		CHECK_EQ(space_load(actor, MIB(2) + KIB(64)), 3);
		/* Writable again for the area, but not for everybody. */
		CHECK_ERR(space_protect(actor, KIB(12), KIB(8), NPT_RW), ERR_OK);
		CHECK(!space_allows(actor, KIB(12), NPT_W), "what is shared");
		space_store(actor, KIB(12), 99);
		expect_furniture(other);
		CHECK_EQ(space_load(actor, KIB(12)), 99);
		space_end(child);
		space_clear(s);
	}
}

/* What is shared does not make a block dense: one page does not cost 2 MiB. */
static void sharing_is_no_reason_to_promote(void **state)
{
	struct space *s = *state, *child;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned page = 0; page < 511; page++)
		space_store(s, page * PAGE_SIZE, 1);
	CHECK_ERR(space_set_policy(s, 0, MIB(4), ALLOC_LAZY_AUTO), ERR_OK);
	child = forked(s);
	space_store(child, 511 * PAGE_SIZE, 2);
	space_check(child);
	CHECK_EQ(space_stats(child).resident, PAGE_SIZE);
	CHECK_EQ(space_stats(child).shared, 511 * PAGE_SIZE);
	/* Memory that is one's own does. */
	for (unsigned page = 0; page < 500; page++)
		space_store(child, page * PAGE_SIZE, 3);
	CHECK_ERR(space_discard(child, 510 * PAGE_SIZE, 2 * PAGE_SIZE), ERR_OK);
	space_store(child, 511 * PAGE_SIZE, 4);
	space_check(child);
	CHECK(space_stats(child).resident <= MIB(2), "%#jx", (uintmax_t)space_stats(child).resident);
	for (unsigned page = 0; page < 511; page++) {
		CHECK_EQ(space_load(s, page * PAGE_SIZE), 1);
		CHECK_EQ(space_load(child, page * PAGE_SIZE), page < 500 ? 3 : page == 510 ? 0 : 1);
	}
}

static void linear_memory_is_the_same_for_both(void **state)
{
	struct space *s = *state, *child;

	CHECK_ERR(space_linear(s, GIB(1), GIB(4), GIB(1), NPT_RW), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(6) - KIB(4), MIB(64), KIB(8), NPT_RX), ERR_OK);
	furnish(s);
	child = forked(s);
	CHECK_EQ(view_walk(&child->view, GIB(1) + MIB(5), NPT_RW).hpa, GIB(4) + MIB(5));
	CHECK_EQ(view_walk(&s->view, GIB(1) + MIB(5), NPT_RW).hpa, GIB(4) + MIB(5));
	CHECK(space_allows(child, GIB(1), NPT_RW) && space_allows(s, GIB(1), NPT_RW), "copy-on-write of a device");
	CHECK_EQ(space_level(child, GIB(1)), s->format->config.max_leaf);
	CHECK(space_allows(child, MIB(6) - KIB(4), NPT_RX), "code");
	CHECK_EQ(space_stats(child).shared, KIB(256) + MIB(2));
	space_end(s);
	CHECK_EQ(view_walk(&child->view, GIB(1), NPT_RW).hpa, GIB(4));
}

static void the_hypervisor_writes_to_one_of_them(void **state)
{
	struct space *s = *state, *child;
	uint8_t bytes[KIB(12)], back[KIB(12)];

	furnish(s);
	child = forked(s);
	memset(bytes, 0x5c, sizeof(bytes));
	space_begin(child);
	CHECK_ERR(addr_space_write(&child->as, GPA(KIB(2)), bytes, sizeof(bytes)), ERR_OK);
	space_check(child);
	expect_furniture(s);
	CHECK_ERR(addr_space_read(&child->as, GPA(KIB(2)), back, sizeof(back)), ERR_OK);
	CHECK(memcmp(bytes, back, sizeof(bytes)) == 0, "what was written");
	CHECK_EQ(space_load(child, 0), 1);
	CHECK_EQ(space_load(child, KIB(16)), 5);
	CHECK_EQ(space_stats(child).resident, KIB(16));
}

static void without_a_frame_a_shared_page_stays_shared(void **state)
{
	struct space *s = *state, *child;
	struct image image;

	furnish(s);
	child = forked(s);
	space_leave(s, 0);
	image_take(&image, &child->view);
	CHECK_EQ(space_fault(child, 0, NPT_W), FAULT_NO_MEMORY);
	CHECK_EQ(space_fault(child, MIB(2), NPT_W), FAULT_NO_MEMORY);
	image_expect(&image, &child->view, "no memory");
	ram_release(&s->ram);
	/* One frame is enough for the table or for the page, and for both it is not. */
	space_leave(s, 1);
	image_take(&image, &child->view);
	CHECK_EQ(space_fault(child, MIB(2), NPT_W), FAULT_NO_MEMORY);
	image_expect(&image, &child->view, "no memory for both");
	CHECK_EQ(ram_free_bytes(), PAGE_SIZE);
	/* The same goes for a table of its own, and a page: but that has a table once it is there. */
	CHECK_EQ(space_fault(child, 0, NPT_W), FAULT_NO_MEMORY);
	CHECK_EQ(child->as.npt.shared_tables, 0);
	ram_release(&s->ram);
	space_leave(s, 1);
	CHECK_EQ(space_fault(child, 0, NPT_W), FAULT_HANDLED);
	ram_release(&s->ram);
	expect_furniture(s);
	expect_furniture(child);
}

/* Every allocation of a fork fails in turn: there is no child, nothing is lost, and the parent goes on. */
static void no_fork_by_half(void **state)
{
	struct space *s = *state, *child = NULL;
	uint64_t frames = 0;

	CHECK_ERR(space_linear(s, GIB(3), GIB(4), MIB(2) + KIB(4), NPT_RW), ERR_OK);
	furnish(s);
	CHECK_ERR(space_alloc(s, GIB(1), GIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_store(s, GIB(2) - 1, 9);
	for (; !child; frames++) {
		struct addr_space_stats before = space_stats(s);
		enum err err;

		CHECK(frames < 64, "64 frames for a fork");
		space_leave(s, frames);
		err = space_fork(s, &child);
		CHECK(err == ERR_OK || (err == ERR_NO_MEMORY && !child), "%s", host_err(err));
		if (!child)
			CHECK_EQ(ram_free_bytes(), frames * PAGE_SIZE);
		CHECK_EQ(space_stats(s).resident, before.resident);
		CHECK_EQ(space_stats(s).shared, 0);
		/* What has become shared with nobody is written in place: there is no frame for more. */
		if (!child)
			space_store(s, (frames % 64) * PAGE_SIZE, (uint8_t)(frames % 64 + 1));
		CHECK_EQ(space_stats(s).handled_copy, 0);
		ram_release(&s->ram);
	}
	CHECK(frames > 5, "a fork of %ju frames", (uintmax_t)frames);
	expect_furniture(s);
	expect_furniture(child);
	CHECK_EQ(space_load(child, GIB(2) - 1), 9);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "a_child_costs_tables_only", a_child_costs_tables_only },
		{ "the_first_writer_gets_a_copy", the_first_writer_gets_a_copy },
		{ "a_page_is_given_up_after_the_flush", a_page_is_given_up_after_the_flush },
		{ "a_large_leaf_is_copied_by_pages", a_large_leaf_is_copied_by_pages },
		{ "a_large_leaf_of_ones_own_is_taken_whole", a_large_leaf_of_ones_own_is_taken_whole },
		{ "a_family_may_end_in_any_order", a_family_may_end_in_any_order },
		{ "changes_are_ones_own", changes_are_ones_own },
		{ "sharing_is_no_reason_to_promote", sharing_is_no_reason_to_promote },
		{ "linear_memory_is_the_same_for_both", linear_memory_is_the_same_for_both },
		{ "the_hypervisor_writes_to_one_of_them", the_hypervisor_writes_to_one_of_them },
		{ "without_a_frame_a_shared_page_stays_shared", without_a_frame_a_shared_page_stays_shared },
		{ "no_fork_by_half", no_fork_by_half },
	};

	return space_suite_both_marks("fork", tests, ARRAY_LEN(tests));
}
