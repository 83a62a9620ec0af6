/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that become one leaf, beside what is shared, held back, or seen past the caches; and those that must not. */
#include "tests/host/space.h"

#include <string.h>

#include "mm/space.h"

static void auto_area(struct space *s, uint64_t size)
{
	CHECK_ERR(space_alloc(s, 0, size, NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
}

static void write_all(struct space *s, uint64_t start, uint64_t end, unsigned salt)
{
	for (uint64_t at = start; at < end; at += PAGE_SIZE)
		space_store(s, at + 16, (uint8_t)(at / PAGE_SIZE % 83 + salt));
}

static void expect_all(struct space *s, uint64_t start, uint64_t end, unsigned salt)
{
	for (uint64_t at = start; at < end; at += PAGE_SIZE)
		CHECK(space_load(s, at + 16) == (uint8_t)(at / PAGE_SIZE % 83 + salt), "what was written at %#jx is lost",
		      (uintmax_t)at);
}

/* The first part of a block that is held back for it is the child's, too; the parent goes on with its sequence. */
static void a_fork_in_the_middle_of_a_sequence(void **state)
{
	struct space *s = *state;
	const uint64_t begun = MIB(2) + 304 * PAGE_SIZE;

	for (unsigned by_child = 0; by_child < 2; by_child++) {
		struct space *child, *actor, *other;

		auto_area(s, MIB(8));
		write_all(s, MIB(2), begun, 1);
		CHECK(reservation_held(&s->as.view) > 0, "nothing is held back");
		CHECK_ERR(space_fork(s, &child), ERR_OK);
		CHECK_EQ(reservation_held(&s->as.view), 0);
		actor = by_child ? child : s;
		other = by_child ? s : child;
		write_all(actor, begun, MIB(4), 100);
		write_all(actor, MIB(2), begun, 100);
		space_check(s);
		expect_all(other, MIB(2), begun, 1);
		expect_all(actor, MIB(2), MIB(4), 100);
		space_end(child);
		if (!by_child)
			expect_all(s, MIB(2), MIB(4), 100);
		space_clear(s);
	}
}

/* What is held back for a sequence comes back with the memory of the area. */
static void what_is_held_goes_with_the_area(void **state)
{
	struct space *s = *state;
	uint64_t free;

	auto_area(s, MIB(8));
	free = ram_free_bytes();
	for (unsigned how = 0; how < 4; how++) {
		write_all(s, MIB(2), MIB(3), 1);
		CHECK(reservation_held(&s->as.view) > 0, "nothing is held back");
		if (how == 0)
			CHECK_ERR(space_unmap(s, 0, MIB(8)), ERR_OK);
		else if (how == 1)
			CHECK_ERR(space_discard(s, 0, MIB(8)), ERR_OK);
		else if (how == 2)
			space_clear(s);
		else
			addr_space_release_held(&s->as);
		CHECK_EQ(reservation_held(&s->as.view), 0);
		if (how < 3)
			CHECK_EQ(ram_free_bytes(), free);
		if (how % 2 == 0)
			auto_area(s, MIB(8));
	}
	expect_all(s, MIB(2), MIB(3), 1);
}

/* When frames run out it is given back, before any page of the guest's is looked at. */
static void what_is_held_serves_other_wants(void **state)
{
	struct space *s = *state;
	uint64_t held, handled = 0;

	auto_area(s, MIB(8));
	CHECK_ERR(space_alloc(s, MIB(16), MIB(16), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	write_all(s, MIB(2), MIB(3), 1); /* windows are full */
	write_all(s, MIB(16), MIB(16) + PAGE_SIZE, 1);
	held = reservation_held(&s->as.view);
	CHECK(held > 0, "nothing is held back");
	ram_take_all(&s->ram);
	for (uint64_t at = MIB(16) + PAGE_SIZE; space_fault(s, at, NPT_W) == FAULT_HANDLED; at += PAGE_SIZE, handled++)
		*space_byte(s, at) = 1;
	CHECK(handled >= held / PAGE_SIZE - s->format->config.levels, "%ju faults were served", (uintmax_t)handled);
	CHECK_EQ(reservation_held(&s->as.view), 0);
	CHECK_EQ(space_stats(s).reclaimed, 0);
	expect_all(s, MIB(2), MIB(3), 1);
}

/* All of [start, end) that can be read is zero but for what write_all has written up to `written`. */
static void expect_zeros_beside(struct space *s, uint64_t start, uint64_t written, uint64_t end)
{
	for (uint64_t at = start; at < end; at += PAGE_SIZE) {
		const uint64_t *words = space_allows(s, at, NPT_R) ? (uint64_t *)(void *)space_byte(s, at) : NULL;

		for (unsigned i = 0; words && i < PAGE_SIZE / sizeof(*words); i++)
			CHECK(words[i] == 0 || (i == 2 && at < written), "%#jx at %#jx", (uintmax_t)words[i],
			      (uintmax_t)(at + 8 * i));
	}
}

/* What was held back is as clean as any other memory: by pages, as one leaf in its place, and when it is given back and comes
 * again. */
static void what_was_held_back_is_zeroed(void **state)
{
	struct space *s = *state;

	for (unsigned round = 0; round < 2; round++) {
		auto_area(s, MIB(8));
		write_all(s, MIB(2), MIB(2) + 304 * PAGE_SIZE, 1);
		CHECK(reservation_held(&s->as.view) > 0, "nothing is held back");
		expect_zeros_beside(s, MIB(2), MIB(2) + 304 * PAGE_SIZE, MIB(4));
		write_all(s, MIB(2) + 304 * PAGE_SIZE, MIB(4) + KIB(128), 1);
		CHECK_EQ(space_level(s, MIB(2)), 1);
		CHECK_EQ(space_level(s, MIB(4)), 1); /* beside a large leaf, and in place */
		expect_zeros_beside(s, MIB(2), MIB(4) + KIB(128), MIB(6));
		for (uint64_t at = MIB(2); at < MIB(6); at += MIB(2)) /* for the next round */
			memset(space_byte(s, at), 0xa5, MIB(2));
		space_clear(s);
	}
}

/* A block that the area does not hold whole will never be one leaf: nothing is held back for it. */
static void nothing_is_held_for_half_a_block(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(3), MIB(2), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	for (uint64_t at = MIB(3); at < MIB(5); at += PAGE_SIZE) {
		write_all(s, at, at + PAGE_SIZE, 1);
		CHECK_EQ(reservation_held(&s->as.view), 0);
	}
	CHECK_EQ(space_stats(s).promoted, 0);
	expect_all(s, MIB(3), MIB(5), 1);
	space_check(s);
}

/* Where a guest past the caches has written last, and what our caches do not show before they are made the same. */
static struct {
	uint8_t *byte;
} late;

static void reveal(void *bytes, uint64_t size)
{
	if (late.byte >= (uint8_t *)bytes && late.byte < (uint8_t *)bytes + size) {
		*late.byte = 77;
		late.byte = NULL;
	}
}

/* A page moves as the guest sees it. */
static void what_moves_is_as_the_guest_wrote_it(void **state)
{
	struct space *s = *state;

	auto_area(s, MIB(8));
	for (uint64_t at = MIB(2); at < MIB(4); at += 2 * PAGE_SIZE) /* even ones, each alone, which will have to move */
		write_all(s, at, at + PAGE_SIZE, 1);
	for (uint64_t at = MIB(2) + PAGE_SIZE; at < MIB(2) + 461 * PAGE_SIZE; at += 2 * PAGE_SIZE)
		write_all(s, at, at + PAGE_SIZE, 1);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	late.byte = space_byte(s, MIB(2) + 200 * PAGE_SIZE + 3000);
	s->as.sync = reveal;
	space_store(s, MIB(2) + 461 * PAGE_SIZE + 16, 1);
	space_store(s, MIB(2) + 463 * PAGE_SIZE + 16, 1);
	s->as.sync = NULL;
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK(!late.byte, "what has moved was not made the same first");
	CHECK_EQ(*space_byte(s, MIB(2) + 200 * PAGE_SIZE + 3000), 77);
	space_check(s);
}

/* The last hole of a block that is another space's for the most part: it does not cost 2 MiB, beside no large leaf. */
static void the_last_hole_of_a_shared_block(void **state)
{
	struct space *s = *state, *child;

	for (unsigned at_end = 0; at_end < 2; at_end++) {
		const uint64_t own = at_end ? MIB(4) - KIB(160) : MIB(2), hole = at_end ? MIB(4) - PAGE_SIZE : MIB(2);

		CHECK_ERR(space_alloc(s, MIB(2), MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
		write_all(s, MIB(2), MIB(4), 1);
		CHECK_ERR(space_discard(s, hole, PAGE_SIZE), ERR_OK);
		CHECK_ERR(space_set_policy(s, MIB(2), MIB(4), ALLOC_LAZY_AUTO), ERR_OK);
		CHECK_ERR(space_fork(s, &child), ERR_OK);
		for (uint64_t at = own; at < own + KIB(160); at += PAGE_SIZE)
			if (at != hole)
				write_all(child, at, at + PAGE_SIZE, 100);
		write_all(child, hole, hole + PAGE_SIZE, 100);
		space_check(s);
		CHECK_EQ(space_level(child, MIB(2)), 0);
		CHECK_EQ(space_stats(child).promoted, 0);
		CHECK_EQ(space_stats(child).resident, KIB(160));
		expect_all(child, own, own + KIB(160), 100);
		space_end(child);
		space_clear(s);
	}
}

/* A sequence that another space has written, and this one has touched one page of, is no reason either. */
static void a_shared_sequence_does_not_go_on(void **state)
{
	struct space *s = *state, *child;

	CHECK_ERR(space_alloc(s, MIB(2), MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	write_all(s, MIB(4), MIB(4) + KIB(124), 1);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	CHECK_ERR(space_set_policy(child, MIB(2), MIB(4), ALLOC_LAZY_2M), ERR_OK);
	space_store(child, MIB(2), 1);
	CHECK_EQ(space_level(child, MIB(2)), 1);
	CHECK_ERR(space_set_policy(child, MIB(2), MIB(4), ALLOC_LAZY_AUTO), ERR_OK);
	space_store(child, MIB(4) + KIB(124), 1);
	space_check(s);
	CHECK_EQ(space_level(child, MIB(4)), 0);
	CHECK_EQ(space_stats(child).promoted, 0);
	expect_all(child, MIB(4), MIB(4) + KIB(124), 1);
}

/* Beside the end of the area, whatever is behind it, and beside pages, however near: nothing says that a sequence goes on. */
static void small_and_foreign_neighbours_say_nothing(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(4), MIB(2), NPT_RWX, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	for (uint64_t at = MIB(4); at > MIB(4) - KIB(192); at -= PAGE_SIZE)
		write_all(s, at - PAGE_SIZE, at, 1);
	write_all(s, MIB(2) - PAGE_SIZE, MIB(2) + KIB(192), 1);
	CHECK_EQ(space_stats(s).promoted, 0);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	CHECK_EQ(space_stats(s).resident, MIB(2) + PAGE_SIZE + 2 * KIB(192));
	space_check(s);
}

/* Beside a large leaf, pages that come in any order make no sequence, even when all of 128 KiB are among them. */
static void pages_here_and_there_are_no_sequence(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(2), MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	space_store(s, MIB(2), 1);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_ERR(space_set_policy(s, MIB(2), MIB(4), ALLOC_LAZY_AUTO), ERR_OK);
	for (unsigned last = 0; last < 2; last++) /* the last pages of 64 KiB are where a block is looked at */
		for (unsigned even = 0; even < 2; even++)
			for (unsigned page = 0; page < 32; page++)
				if (page % 2 != even && last == (page % 16 == 15))
					write_all(s, MIB(4) + page * PAGE_SIZE, MIB(4) + (page + 1) * PAGE_SIZE, 1);
	CHECK_EQ(space_level(s, MIB(4)), 0);
	CHECK_EQ(space_stats(s).promoted, 0);
	CHECK_EQ(space_stats(s).resident, MIB(2) + KIB(128));
	expect_all(s, MIB(4), MIB(4) + KIB(128), 1);
	space_check(s);
}

/* Under 2 MiB there are no sequences: beside a large leaf 128 KiB are not enough. */
static void only_sequences_go_on(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(2), MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	space_store(s, MIB(2), 1);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	ram_scatter(&s->ram, 8, 2); /* no block for the next one */
	write_all(s, MIB(4), MIB(4) + KIB(124), 1);
	ram_release(&s->ram);
	write_all(s, MIB(4) + KIB(124), MIB(4) + KIB(192), 1);
	CHECK_EQ(space_level(s, MIB(4)), 0);
	CHECK_EQ(space_stats(s).promoted, 0);
	CHECK_EQ(space_stats(s).resident, MIB(2) + KIB(192));
	space_check(s);
}

/* A page in place of zeros fills no hole: a full table is looked at no more often for it than at the end of 64 KiB. */
static void zeros_are_no_holes(void **state)
{
	struct space *s = *state;
	unsigned given = 0;

	auto_area(s, MIB(4));
	space_touch(s, MIB(2), NPT_R); /* a leaf of zeros, which the first write splits */
	for (unsigned page = 0; page < 512; page += 2, given++)
		space_store(s, MIB(2) + page * PAGE_SIZE, 1);
	for (unsigned page = 15; page < 128; page += 16, given++)
		space_store(s, MIB(2) + page * PAGE_SIZE, 1);
	for (unsigned page = 1; given < 488; page += 2)
		if (page % 16 != 15) {
			space_store(s, MIB(2) + page * PAGE_SIZE, 1);
			given++;
		}
	CHECK_EQ(space_stats(s).resident, 488 * PAGE_SIZE); /* which is dense, */
	CHECK_EQ(space_level(s, MIB(2)), 0);
	space_store(s, MIB(2) + 143 * PAGE_SIZE, 1); /* and now it is seen */
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(s).promoted, 1);
	space_check(s);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "a_fork_in_the_middle_of_a_sequence", a_fork_in_the_middle_of_a_sequence },
		{ "what_is_held_goes_with_the_area", what_is_held_goes_with_the_area },
		{ "what_is_held_serves_other_wants", what_is_held_serves_other_wants },
		{ "what_was_held_back_is_zeroed", what_was_held_back_is_zeroed },
		{ "nothing_is_held_for_half_a_block", nothing_is_held_for_half_a_block },
		{ "what_moves_is_as_the_guest_wrote_it", what_moves_is_as_the_guest_wrote_it },
		{ "the_last_hole_of_a_shared_block", the_last_hole_of_a_shared_block },
		{ "a_shared_sequence_does_not_go_on", a_shared_sequence_does_not_go_on },
		{ "small_and_foreign_neighbours_say_nothing", small_and_foreign_neighbours_say_nothing },
		{ "pages_here_and_there_are_no_sequence", pages_here_and_there_are_no_sequence },
		{ "only_sequences_go_on", only_sequences_go_on },
		{ "zeros_are_no_holes", zeros_are_no_holes },
	};

	return space_suite_both_marks("promote", tests, ARRAY_LEN(tests));
}
