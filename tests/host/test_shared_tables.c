/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of pages that a fork shares: when they become a space's own, who pays for them, and who gives them up. */
#include "tests/host/space.h"

#include "mm/space.h"

#define BLOCKS 4u

/* Four blocks with a page in each 64 KiB; some pages of zeros in the last one. */
static void furnish(struct space *s)
{
	CHECK_ERR(space_alloc(s, 0, BLOCKS * BLOCK_SIZE, NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < BLOCKS * BLOCK_SIZE; at += KIB(64))
		space_store(s, at, (uint8_t)(at / KIB(64) + 1));
	for (uint64_t at = (BLOCKS - 1) * BLOCK_SIZE; at < BLOCKS * BLOCK_SIZE; at += KIB(128))
		space_touch(s, at + PAGE_SIZE, NPT_R);
}

static void expect_furniture(struct space *s, uint64_t from)
{
	for (uint64_t at = from; at < BLOCKS * BLOCK_SIZE; at += KIB(64))
		CHECK_EQ(space_load(s, at), (uint8_t)(at / KIB(64) + 1));
}

static struct space *forked(struct space *parent)
{
	struct space *child;

	CHECK_ERR(space_fork(parent, &child), ERR_OK);
	return child;
}

static hpa_t table_at(struct space *s, uint64_t gpa)
{
	struct npt_cursor cursor;

	npt_find(&s->as.npt, GPA(gpa), &cursor);
	CHECK_EQ(cursor.level, 0);
	return cursor.table;
}

static uint64_t shared(const struct space *s)
{
	return s->as.npt.shared_tables;
}

/* A fork shares all four, of its child as well, and each change makes one of them the space's own. */
static void a_change_takes_one_table(void **state)
{
	struct space *s = *state, *child, *grandchild;
	uint64_t tables;

	furnish(s);
	child = forked(s);
	grandchild = forked(child);
	CHECK_EQ(shared(s), BLOCKS);
	CHECK_EQ(shared(child), BLOCKS);
	CHECK_EQ(shared(grandchild), BLOCKS);
	tables = child->as.npt.table_bytes;
	CHECK_EQ(grandchild->as.npt.table_bytes, tables);
	space_store(child, KIB(4), 9); /* an empty entry */
	CHECK_EQ(shared(child), BLOCKS - 1);
	CHECK_ERR(space_discard(child, BLOCK_SIZE + KIB(64), KIB(64)), ERR_OK);
	CHECK_EQ(shared(child), BLOCKS - 2);
	CHECK_ERR(space_protect(child, 2 * BLOCK_SIZE, KIB(64), NPT_R), ERR_OK);
	CHECK_EQ(shared(child), BLOCKS - 3);
	CHECK_EQ(child->as.npt.table_bytes, tables + 3 * PAGE_SIZE);
	/* All of a block: there is nothing to be copied, and nothing to be paid for. */
	CHECK_ERR(space_discard(child, 3 * BLOCK_SIZE, BLOCK_SIZE), ERR_OK);
	CHECK_EQ(shared(child), 0);
	CHECK_EQ(child->as.npt.table_bytes, tables + 3 * PAGE_SIZE);
	CHECK_EQ(shared(s), BLOCKS);
	CHECK_EQ(shared(grandchild), BLOCKS);
	expect_furniture(s, 0);
	expect_furniture(grandchild, 0);
	CHECK_EQ(space_load(grandchild, KIB(4)), 0);
	CHECK_EQ(space_load(child, 3 * BLOCK_SIZE), 0);
	CHECK_EQ(space_load(child, BLOCK_SIZE + KIB(64)), 0);
}

/* Reading changes nothing, whoever reads. */
static void reading_takes_none(void **state)
{
	struct space *s = *state, *child;
	uint8_t byte;

	furnish(s);
	child = forked(s);
	expect_furniture(child, 0);
	CHECK_ERR(addr_space_read(&child->as, GPA(KIB(64)), &byte, 1), ERR_OK);
	CHECK_EQ(byte, 2);
	CHECK_EQ(space_fault(child, 0, NPT_R), FAULT_SPURIOUS);
	CHECK_EQ(shared(child), BLOCKS);
	CHECK_EQ(shared(s), BLOCKS);
}

/* The table that is being left, and how many have it besides. */
static hpa_t left;

static void expect_not_left(struct space *s)
{
	(void)s;
	CHECK_EQ(*frame_table_present(left) / NPT_SHARER, 1);
}

/* Until then a CPU may come to the table; and whoever has it alone changes it. */
static void a_table_is_left_after_the_flush(void **state)
{
	struct space *s = *state, *child;

	furnish(s);
	child = forked(s);
	for (unsigned i = 0; i < 2; i++) {
		left = table_at(child, i * BLOCK_SIZE);
		space_begin(child);
		child->meanwhile = expect_not_left;
		if (i == 0)
			CHECK_ERR(addr_space_fault_in(&child->as, GPA(0), 1, NPT_RW), ERR_OK);
		else
			CHECK_ERR(addr_space_discard(&child->as, GPA(i * BLOCK_SIZE), BLOCK_SIZE), ERR_OK);
		CHECK(!child->meanwhile, "nothing was flushed");
		CHECK_EQ(*frame_table_present(left) / NPT_SHARER, 0);
		space_check(child);
	}
	expect_furniture(s, 0);
}

/* Who has it alone takes it as it is, in place: nothing is copied, flushed or allocated. */
static void the_last_one_takes_it(void **state)
{
	struct space *s = *state, *child;
	uint64_t tables, flushes;
	hpa_t table;

	furnish(s);
	child = forked(s);
	table = table_at(s, 0);
	tables = s->as.npt.table_bytes;
	space_end(child);
	flushes = s->flushes;
	space_leave(s, 0);
	CHECK_EQ(shared(s), BLOCKS);
	CHECK_EQ(space_fault(s, 0, NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).handled_reuse, 1);
	CHECK_EQ(shared(s), BLOCKS - 1);
	CHECK_EQ(table_at(s, 0).raw, table.raw);
	CHECK_EQ(s->as.npt.table_bytes, tables);
	CHECK_EQ(s->flushes, flushes);
}

/* The parent pays, then nobody but the limit, and then the one that has it last. */
static void one_pays_at_most(void **state)
{
	struct space *s = *state, *child;
	uint64_t used, tables;

	furnish(s);
	CHECK_ERR(space_limit(s, MIB(16)), ERR_OK);
	child = forked(s);
	used = s->limit.used;
	tables = child->as.npt.table_bytes;
	CHECK_ERR(space_discard(s, 0, BLOCKS * BLOCK_SIZE), ERR_OK);
	CHECK_EQ(space_stats(s).resident, 0);
	CHECK_EQ(shared(s), 0);
	/* The pages and the tables of pages are still in use. The parent's upper tables are not. */
	CHECK(s->limit.used >= used - 4 * PAGE_SIZE && s->limit.used < used, "%#jx used of %#jx", (uintmax_t)s->limit.used,
	      (uintmax_t)used);
	CHECK_EQ(child->as.npt.table_bytes, tables);
	space_store(child, 0, 7);
	CHECK_EQ(space_stats(child).handled_reuse, 1);
	CHECK_EQ(child->as.npt.table_bytes, tables + PAGE_SIZE);
	CHECK_EQ(shared(child), BLOCKS - 1);
	used = s->limit.used;
	CHECK_ERR(space_discard(child, BLOCK_SIZE, BLOCK_SIZE), ERR_OK);
	CHECK(s->limit.used <= used - 33 * PAGE_SIZE, "nothing was given back");
	expect_furniture(child, 2 * BLOCK_SIZE);
}

/* Where a table cannot have one space more, its leaves are copied. */
static void so_many_and_no_more(void **state)
{
	static struct addr_space child;
	struct space *s = *state;
	hpa_t table;

	furnish(s);
	space_end(forked(s));
	table = table_at(s, 0);
	*frame_table_present(table) += (UINT32_MAX / NPT_SHARER) * NPT_SHARER;
	space_begin(s);
	CHECK_ERR(addr_space_fork(&s->as, &child), ERR_OK);
	child.flush = NULL;
	CHECK_EQ(child.npt.shared_tables, BLOCKS - 1);
	CHECK_EQ(npt_leaves(&child.npt, 0), npt_leaves(&s->as.npt, 0));
	addr_space_free(&child);
	*frame_table_present(table) &= NPT_SHARER - 1;
	space_check(s);
	expect_furniture(s, 0);
}

/* Each of a family writes to each block in turn, and they end in the order in which they came. */
static void a_family_shares_and_parts(void **state)
{
	struct space *s = *state, *kin[4];

	furnish(s);
	kin[0] = s;
	for (unsigned i = 1; i < ARRAY_LEN(kin); i++) {
		space_store(kin[i - 1], (i - 1) * BLOCK_SIZE + KIB(8), (uint8_t)(100 + i));
		kin[i] = forked(kin[i - 1]);
	}
	for (unsigned i = 1; i < ARRAY_LEN(kin); i++) {
		for (unsigned j = 0; j < i; j++)
			CHECK_EQ(space_load(kin[i], j * BLOCK_SIZE + KIB(8)), 101 + j);
		expect_furniture(kin[i], 0);
	}
	for (unsigned i = 0; i + 1 < ARRAY_LEN(kin); i++) {
		if (i > 0)
			space_end(kin[i]);
		else
			CHECK_ERR(space_unmap(s, 0, BLOCKS * BLOCK_SIZE), ERR_OK);
		expect_furniture(kin[ARRAY_LEN(kin) - 1], 0);
	}
	for (uint64_t at = 0; at < BLOCKS * BLOCK_SIZE; at += KIB(64))
		space_store(kin[3], at, 1);
	CHECK_EQ(shared(kin[3]), 0);
	CHECK_EQ(space_stats(kin[3]).handled_copy, 0);
}

/* What is zeros in a table that others have stays there: nothing would become free. */
static void reclaim_leaves_them_alone(void **state)
{
	struct space *s = *state, *child;
	gpa_t at = GPA(0);

	furnish(s);
	space_store(s, KIB(8), 0);
	for (unsigned i = 1; i <= 2 * ADDR_SPACE_RECENT; i++) /* so that it is not spared for having been given lately */
		space_store(s, KIB(512) + i * KIB(64) + PAGE_SIZE, 1);
	child = forked(s);
	while (addr_space_tidy(&child->as, &at))
		;
	CHECK_EQ(shared(child), BLOCKS);
	CHECK_EQ(space_stats(child).reclaimed, 0);
	space_end(child);
	do
		space_begin(s);
	while (addr_space_tidy(&s->as, &at));
	space_check(s);
	CHECK(space_stats(s).reclaimed >= PAGE_SIZE, "%ju", (uintmax_t)space_stats(s).reclaimed);
	expect_furniture(s, 0);
}

/* Pages of the block at `at`, by what they are: the remainders by 7 are mixed differently in each block. */
static unsigned kind_of(uint64_t at)
{
	const uint64_t page = at / PAGE_SIZE;

	return (unsigned)(page * (at / BLOCK_SIZE + 1) / (at % BLOCK_SIZE < MIB(1) ? 1 : 19) % 7);
}

/* Own ones, zeros, what an earlier fork has, too, what was copied after it, and some that nothing was seen of lately. */
static void furnish_with_all_kinds(struct space *s, struct space **earlier)
{
	uint64_t bit;

	CHECK_ERR(space_alloc(s, 0, BLOCKS * BLOCK_SIZE, NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < BLOCKS * BLOCK_SIZE; at += PAGE_SIZE)
		if (kind_of(at) >= 2 && kind_of(at) <= 3)
			space_store(s, at, (uint8_t)(at / PAGE_SIZE));
	*earlier = forked(s);
	for (uint64_t at = 0; at < BLOCKS * BLOCK_SIZE; at += PAGE_SIZE) {
		if (kind_of(at) == 1)
			space_touch(s, at, NPT_R);
		else if (kind_of(at) >= 3)
			space_store(s, at, (uint8_t)(at / PAGE_SIZE));
		if (kind_of(at) >= 5)
			space_test_and_clear(s, kind_of(at) == 5 ? NPT_DIRTY : NPT_ACCESSED, at, PAGE_SIZE, false, &bit);
	}
}

/* Whatever lies side by side in a table, and however it changes when the table becomes a shared one. */
static void leaves_of_all_kinds_are_shared(void **state)
{
	struct space *s = *state, *earlier, *child;

	furnish_with_all_kinds(s, &earlier);
	child = forked(s);
	CHECK_EQ(shared(child), BLOCKS);
	for (uint64_t at = 0; at < BLOCKS * BLOCK_SIZE; at += PAGE_SIZE) {
		CHECK(!space_allows(s, at, NPT_W) && !space_allows(child, at, NPT_W), "writable at %#jx", (uintmax_t)at);
		CHECK_EQ(space_load(child, at), kind_of(at) < 2 ? 0 : (uint8_t)(at / PAGE_SIZE));
	}
	for (uint64_t at = 0; at < BLOCKS * BLOCK_SIZE; at += PAGE_SIZE)
		space_store(child, at, 1);
	for (uint64_t at = 0; at < BLOCKS * BLOCK_SIZE; at += PAGE_SIZE) {
		CHECK_EQ(space_load(s, at), kind_of(at) < 2 ? 0 : (uint8_t)(at / PAGE_SIZE));
		CHECK_EQ(space_load(earlier, at), kind_of(at) < 2 || kind_of(at) > 3 ? 0 : (uint8_t)(at / PAGE_SIZE));
	}
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "a_change_takes_one_table", a_change_takes_one_table },
		{ "reading_takes_none", reading_takes_none },
		{ "a_table_is_left_after_the_flush", a_table_is_left_after_the_flush },
		{ "the_last_one_takes_it", the_last_one_takes_it },
		{ "one_pays_at_most", one_pays_at_most },
		{ "so_many_and_no_more", so_many_and_no_more },
		{ "a_family_shares_and_parts", a_family_shares_and_parts },
		{ "reclaim_leaves_them_alone", reclaim_leaves_them_alone },
		{ "leaves_of_all_kinds_are_shared", leaves_of_all_kinds_are_shared },
	};

	return space_suite_both_marks("shared_tables", tests, ARRAY_LEN(tests));
}
