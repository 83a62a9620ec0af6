/* SPDX-License-Identifier: BSD-2-Clause */
/* What a space may cost the host, and what it leaves for others: limits and the reserve. */
#include "tests/host/space.h"

static uint64_t used(struct space *s)
{
	addr_space_release_held(&s->as);
	return space_stats(s).memory_used;
}

static void limit(struct space *s, uint64_t max)
{
	CHECK_ERR(space_limit(s, max), ERR_OK);
}

static enum fault_outcome touch(struct space *s, uint64_t gpa, unsigned access)
{
	const struct npt_fault fault = { .gpa = GPA(gpa), .access = (uint8_t)access };

	if (space_allows(s, gpa, access))
		return FAULT_HANDLED;
	space_begin(s);
	return addr_space_handle_fault(&s->as.view, &fault);
}

/* What a guest can have recorded of single pages: by permissions, and by policies. */
static enum err record(struct space *s, uint64_t gpa, bool policy, bool back)
{
	return policy ? addr_space_set_policy(&s->as, GPA(gpa), PAGE_SIZE, back ? ALLOC_LAZY_4K : ALLOC_LAZY_64K) :
			addr_space_protect(&s->as, GPA(gpa), PAGE_SIZE, back ? NPT_RW : NPT_R);
}

static uint64_t record_pages(struct space *s, bool policy, enum err *err)
{
	uint64_t pages = 0;

	while (pages < GIB(1) / KIB(8) && (*err = record(s, pages * KIB(8), policy, false)) == ERR_OK)
		pages++;
	return pages;
}

static void areas_are_counted_and_limited(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, GIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned policy = 0; policy < 2; policy++) {
		uint64_t before = used(s), pages;
		enum err err;

		limit(s, before + KIB(512));
		pages = record_pages(s, policy, &err);
		CHECK_ERR(err, ERR_NO_MEMORY);
		space_check(s);
		CHECK(s->as.cost.exceeded, "the host had no more");
		/* 64 bytes each, two for each call, and the levels and hints. */
		CHECK(pages * 128 <= KIB(512) && pages * 256 >= KIB(512), "%ju calls", (uintmax_t)pages);
		CHECK(used(s) - before > KIB(512) - 16 * PAGE_SIZE, "%#jx used", (uintmax_t)used(s));
		/* What joins again is given back. */
		for (uint64_t page = 0; page < pages; page++)
			CHECK_ERR(record(s, page * KIB(8), policy, true), ERR_OK);
		CHECK_EQ(used(s), before);
		CHECK_EQ(area_set_bytes(&s->as.areas), 0);
		limit(s, UINT64_MAX);
		space_check(s);
	}
}

static void tables_are_limited(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, GIB(64), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned access = NPT_R; access <= NPT_RW; access += NPT_W) {
		uint64_t at = GIB(16) * access;

		limit(s, used(s) + MIB(1));
		for (; touch(s, at, access) == FAULT_HANDLED; at += MIB(2))
			if (access & NPT_W)
				*space_byte(s, at) = 1; /* nothing to be taken back */
		CHECK(at - GIB(16) * access >= MIB(2) * 120, "only up to %#jx", (uintmax_t)at);
		CHECK(s->as.cost.exceeded, "the host had no more");
		space_check(s);
		limit(s, UINT64_MAX);
		CHECK_EQ(touch(s, at, access), FAULT_HANDLED);
	}
}

/* Under every policy a guest gets all that it may have, but for what a table or two take, and not a byte more. */
static void policies_keep_to_the_limit(void **state)
{
	struct space *s = *state;

	for (unsigned policy = 0; policy < ALLOC_POPULATE; policy++) {
		uint64_t start = GIB(1) * policy, at = start;

		CHECK_ERR(space_alloc(s, start, MIB(64), NPT_RW, policy), ERR_OK);
		limit(s, used(s) + MIB(5) + KIB(44));
		for (; touch(s, at, NPT_W) == FAULT_HANDLED; at += PAGE_SIZE)
			*space_byte(s, at) = 1; /* nothing to be taken back */
		space_check(s);
		CHECK(s->as.cost.exceeded, "the host had no more");
		CHECK(at - start >= MIB(5) && at - start <= MIB(5) + KIB(44), "%u: %#jx bytes", policy, (uintmax_t)(at - start));
		limit(s, UINT64_MAX);
		CHECK_ERR(space_unmap(s, start, MIB(64)), ERR_OK);
	}
	limit(s, used(s) + MIB(4));
	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_POPULATE), ERR_NO_MEMORY);
	CHECK(s->as.cost.exceeded, "the host had no more");
	CHECK_EQ(space_stats(s).resident, 0);
}

static struct space *forked(struct space *s)
{
	struct space *child;

	CHECK_ERR(space_fork(s, &child), ERR_OK);
	CHECK(child->as.cost.limit == s->as.cost.limit, "another limit");
	return child;
}

/* Write to pages from `at` on, up to `end`, as long as there is memory; where that ended. */
static uint64_t fill(struct space *s, uint64_t at, uint64_t end)
{
	for (; at < end && touch(s, at, NPT_W) == FAULT_HANDLED; at += PAGE_SIZE)
		*space_byte(s, at) = 1; /* nothing to be taken back */
	space_check(s);
	return at;
}

/* Parent and forks take from one limit, and give back to it. */
static void a_tree_has_one_limit(void **state)
{
	struct space *s = *state, *child, *grandchild, *none;
	uint64_t first, second, third;

	CHECK_ERR(space_alloc(s, 0, MIB(8), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(fill(s, 0, MIB(2)), MIB(2));
	limit(s, used(s) + MIB(2));
	child = forked(s);
	grandchild = forked(child);
	/* Copies in place of what is shared cost the child; fresh memory whoever touches it. */
	first = fill(child, 0, KIB(512));
	CHECK_EQ(first, KIB(512));
	second = fill(s, MIB(2), MIB(8)) - MIB(2);
	CHECK(second >= MIB(2) - KIB(512) - 64 * PAGE_SIZE && second <= MIB(2) - KIB(512), "%#jx beside %#jx", (uintmax_t)second,
	      (uintmax_t)first);
	CHECK(s->as.cost.exceeded, "the host had no more");
	CHECK_EQ(touch(grandchild, 0, NPT_W), FAULT_NO_MEMORY);
	CHECK(grandchild->as.cost.exceeded, "the host had no more");
	CHECK_ERR(space_fork(s, &none), ERR_NO_MEMORY);
	/* What one gives back the other one may take: at once, whoever asks first. */
	CHECK_ERR(space_discard(s, MIB(2), MIB(1)), ERR_OK);
	third = fill(grandchild, MIB(2), MIB(8)) - MIB(2);
	CHECK(third >= MIB(1) - 16 * PAGE_SIZE && third <= MIB(1), "%#jx of a mebibyte", (uintmax_t)third);
	space_end(grandchild);
	CHECK_EQ(fill(child, MIB(4), MIB(4) + KIB(512)), MIB(4) + KIB(512));
	space_end(child);
	addr_space_release_held(&s->as);
	CHECK_EQ(s->limit.used, space_stats(s).memory_used);
}

/*
 * What a parent leaves behind for its child counts, though it is nobody's: else a tree could have any amount of it. When the child
 * writes to it, it is the child's and costs nothing more.
 */
static void what_is_nobodys_counts(void **state)
{
	struct space *s = *state, *child;
	uint64_t got;

	CHECK_ERR(space_alloc(s, 0, MIB(8), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(fill(s, 0, MIB(4)), MIB(4));
	limit(s, used(s) + MIB(1));
	child = forked(s);
	CHECK_ERR(space_discard(s, 0, MIB(4)), ERR_OK);
	CHECK_EQ(space_stats(s).resident, 0);
	CHECK_EQ(space_stats(child).shared, MIB(4));
	CHECK(s->limit.used >= MIB(4), "%#jx used", (uintmax_t)s->limit.used);
	got = fill(s, 0, MIB(4));
	CHECK(got <= MIB(1), "%#jx more", (uintmax_t)got);
	CHECK(s->as.cost.exceeded, "the host had no more");
	/* At the limit: what is taken over is in use before and after. */
	CHECK_EQ(fill(child, MIB(1), MIB(3)), MIB(3));
	CHECK_EQ(space_stats(child).resident, MIB(2));
	CHECK_ERR(space_discard(child, 0, MIB(4)), ERR_OK);
	CHECK_EQ(fill(s, MIB(4), MIB(7)), MIB(7));
	space_end(child);
	addr_space_release_held(&s->as);
	CHECK_EQ(s->limit.used, space_stats(s).memory_used);
}

/* The parent ends first: what is left is its last fork's, and counts to the end. */
static void the_last_of_a_tree(void **state)
{
	struct space *s = *state, *child, *other;

	CHECK_ERR(space_alloc(s, 0, MIB(8), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(fill(s, 0, MIB(4)), MIB(4));
	limit(s, used(s) + MIB(1));
	child = forked(s);
	other = forked(child);
	CHECK_EQ(fill(child, MIB(2), MIB(2) + KIB(64)), MIB(2) + KIB(64));
	space_clear(s);
	CHECK(s->limit.used >= MIB(4), "%#jx used", (uintmax_t)s->limit.used);
	space_end(other);
	CHECK_EQ(fill(child, 0, MIB(2)), MIB(2));
	space_clear(child);
	space_end(child);
	addr_space_release_held(&s->as);
	CHECK_EQ(s->limit.used, space_stats(s).memory_used);
}

static void limits_that_are_too_small(void **state)
{
	struct space *s = *state;
	uint64_t now = used(s);

	CHECK_ERR(space_limit(s, 0), ERR_NO_MEMORY);
	CHECK_ERR(space_limit(s, now - 1), ERR_NO_MEMORY);
	CHECK(!s->as.cost.limit, "it has a limit");
	limit(s, now);
	CHECK_ERR(addr_space_charge(&s->as, 1), ERR_NO_MEMORY);
	limit(s, now + KIB(8));
	CHECK_ERR(addr_space_charge(&s->as, KIB(8)), ERR_OK);
	CHECK_EQ(space_stats(s).memory_used, now + KIB(8));
	CHECK_EQ(space_stats(s).memory_peak, now + KIB(8));
	limit(s, UINT64_MAX);
}

/* Records leave all of the reserve, faults half of it; the hypervisor itself gets the last frame. */
static void the_reserve_is_left(void **state)
{
	struct space *s = *state;
	uint64_t at = GIB(2), pages;
	enum err err;
	hpa_t frame;

	frame_set_reserve(MIB(1));
	CHECK_ERR(space_alloc(s, 0, GIB(8), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(touch(s, GIB(2), NPT_W), FAULT_HANDLED);
	space_leave(s, MIB(2) / PAGE_SIZE);
	pages = record_pages(s, false, &err);
	CHECK_ERR(err, ERR_NO_MEMORY);
	CHECK(!s->as.cost.exceeded && pages > 0, "%ju pages", (uintmax_t)pages);
	CHECK(ram_free_bytes() >= MIB(1) && ram_free_bytes() < MIB(1) + 64 * PAGE_SIZE, "%#jx left", (uintmax_t)ram_free_bytes());
	CHECK_EQ(frame_free_for(FRAME_GUEST), ram_free_bytes() - KIB(512));
	for (*space_byte(s, at) = 1; touch(s, at, NPT_W) == FAULT_HANDLED; at += PAGE_SIZE)
		*space_byte(s, at) = 1;
	CHECK(at - GIB(2) > KIB(400), "only %#jx", (uintmax_t)(at - GIB(2)));
	addr_space_release_held(&s->as);
	CHECK_EQ(ram_free_bytes(), KIB(512));
	CHECK_EQ(frame_free_for(FRAME_GUEST), 0);
	CHECK_EQ(frame_free_for(FRAME_CALL), 0);
	CHECK_ERR(frame_alloc(0, &frame), ERR_OK);
	frame_free(frame, 0);
	frame_set_reserve(0);
	space_check(s);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "areas_are_counted_and_limited", areas_are_counted_and_limited },
		{ "tables_are_limited", tables_are_limited },
		{ "policies_keep_to_the_limit", policies_keep_to_the_limit },
		{ "a_tree_has_one_limit", a_tree_has_one_limit },
		{ "what_is_nobodys_counts", what_is_nobodys_counts },
		{ "the_last_of_a_tree", the_last_of_a_tree },
		{ "limits_that_are_too_small", limits_that_are_too_small },
		{ "the_reserve_is_left", the_reserve_is_left },
	};

	return space_suite("limit", tests, ARRAY_LEN(tests));
}
