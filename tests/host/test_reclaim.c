/* SPDX-License-Identifier: BSD-2-Clause */
/* When no frame is left, or the guest is idle: pages of nothing but zeros are taken back, what the guest wrote never is. */
#include "tests/host/space.h"

#include <string.h>

static uint64_t resident(struct space *s)
{
	return space_stats(s).resident;
}

/* `count` pages from `gpa` on, each with something in it if `full`. */
static void write_pages(struct space *s, uint64_t gpa, unsigned count, bool full)
{
	for (unsigned page = 0; page < count; page++)
		space_store(s, gpa + page * PAGE_SIZE + 24, full ? (uint8_t)(page % 255 + 1) : 0);
}

static void expect_pages(struct space *s, uint64_t gpa, unsigned count)
{
	for (unsigned page = 0; page < count; page++)
		CHECK_EQ(*space_byte(s, gpa + page * PAGE_SIZE + 24), page % 255 + 1);
}

static unsigned backed(struct space *s, uint64_t gpa, unsigned count)
{
	unsigned pages = 0;

	for (unsigned page = 0; page < count; page++)
		pages += space_allows(s, gpa + page * PAGE_SIZE, NPT_R);
	return pages;
}

/* Memory at MIB(8), written and full, that the faults of a test may go to. */
static void more_area(struct space *s)
{
	CHECK_ERR(space_alloc(s, MIB(8), MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_store(s, MIB(8), 1);
}

static void what_nobody_has_used_goes_first(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	more_area(s);
	for (unsigned window = 0; window < 16; window++) {
		space_store(s, window * KIB(64), (uint8_t)(window + 1));
		space_store(s, window * KIB(64) + KIB(4), 0); /* used, though zero */
	}
	CHECK_EQ(resident(s), MIB(1) + KIB(4));
	space_leave(s, 0);
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_HANDLED);
	CHECK(space_stats(s).reclaimed >= KIB(256) && space_stats(s).reclaimed < MIB(1), "%#jx taken",
	      (uintmax_t)space_stats(s).reclaimed);
	CHECK_EQ(resident(s), MIB(1) + KIB(8) - space_stats(s).reclaimed);
	for (unsigned window = 0; window < 16; window++) {
		CHECK_EQ(*space_byte(s, window * KIB(64)), window + 1);
		if (s->format->config.hardware_ad) /* else every page counts as used */
			CHECK(space_allows(s, window * KIB(64) + KIB(4), NPT_RW), "a page in use was taken");
	}
	/* What was taken is as good as ever. */
	CHECK_EQ(space_load(s, KIB(12)), 0);
	space_store(s, KIB(12), 9);
	space_check(s);
	CHECK_EQ(space_load(s, KIB(12)), 9);
}

static void zeros_go_next_and_data_never(void **state)
{
	struct space *s = *state;
	unsigned handled = 0;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	more_area(s);
	write_pages(s, 0, 100, true);
	write_pages(s, 100 * PAGE_SIZE, 100, false);
	write_pages(s, 200 * PAGE_SIZE, 56, true);
	space_leave(s, 0);
	/* The hundred pages that hold zeros serve a hundred faults, and not one more, since all else is written. */
	for (unsigned page = 1; space_fault(s, MIB(8) + page * PAGE_SIZE, NPT_W) == FAULT_HANDLED; page++, handled++)
		*space_byte(s, MIB(8) + page * PAGE_SIZE) = 1;
	CHECK_EQ(handled, 100);
	CHECK_EQ(space_stats(s).reclaimed, 100 * PAGE_SIZE);
	CHECK_EQ(backed(s, 100 * PAGE_SIZE, 100), 0);
	expect_pages(s, 0, 100);
	expect_pages(s, 200 * PAGE_SIZE, 56);
	CHECK_EQ(space_stats(s).faults[FAULT_NO_MEMORY], 1);
	ram_release(&s->ram);
	CHECK_EQ(space_load(s, 100 * PAGE_SIZE), 0);
}

static void without_zeros_there_is_no_memory(void **state)
{
	struct space *s = *state;
	struct image image;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	more_area(s);
	write_pages(s, 0, 511, true);
	CHECK_EQ(space_level(s, 0), 1);
	space_leave(s, 0);
	image_take(&image, &s->view);
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_NO_MEMORY);
	/* One zero page would only pay for the table of the split. */
	image_expect(&image, &s->view, "nothing to be had");
	CHECK_EQ(space_stats(s).reclaimed, 0);
	CHECK_EQ(space_stats(s).split, 0);
	expect_pages(s, 0, 511);
}

/* Zeros that cost nothing are nothing to be had, and stay where they are. */
static void shared_zeros_are_left_alone(void **state)
{
	struct space *s = *state;
	struct image image;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	more_area(s);
	space_touch(s, MIB(1), NPT_R);
	space_touch(s, MIB(4), NPT_R);
	CHECK_EQ(space_stats(s).zero_leaves[0], 16);
	CHECK_EQ(space_stats(s).zero_leaves[1], 1);
	space_leave(s, 0);
	image_take(&image, &s->view);
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_NO_MEMORY);
	image_expect(&image, &s->view, "nothing to be had");
	CHECK_EQ(space_stats(s).split, 0);
	CHECK_EQ(s->flushes, 0);
}

/* With the frame that is kept for its table. */
static void large_leaves_are_split(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	more_area(s);
	write_pages(s, 0, 500, true);
	write_pages(s, MIB(2), 512, true);
	space_leave(s, 0);
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, 0), 0);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(s).split, 1);
	CHECK_EQ(space_stats(s).reclaimed, 12 * PAGE_SIZE);
	CHECK(s->as.reserve.raw != 0, "the reserve is not filled up again");
	expect_pages(s, 0, 500);
	expect_pages(s, MIB(2), 512);
	CHECK_EQ(backed(s, 500 * PAGE_SIZE, 12), 0);
	/* 12 pages, less a table and the page that was asked for. */
	CHECK_EQ(ram_free_bytes(), 10 * PAGE_SIZE);
}

static void populated_memory_is_spared(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_linear(s, GIB(1), SPACE_RAM_AT, KIB(64), NPT_R), ERR_OK);
	more_area(s);
	space_leave(s, 0);
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_NO_MEMORY);
	CHECK_EQ(resident(s), MIB(4) + KIB(4));
	CHECK_EQ(space_level(s, 0), 1);
	/* It is a promise of the policy. */
	CHECK_ERR(space_set_policy(s, 0, MIB(2), ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(2)), 1);
}

/* An instruction may need two pages: the second must not come at the price of the first. */
static void two_pages_at_once_or_no_memory(void **state)
{
	struct space *s = *state;
	enum fault_outcome outcome = FAULT_HANDLED;
	unsigned rounds = 0;

	more_area(s);
	space_leave(s, 1);
	while (outcome == FAULT_HANDLED && !(space_allows(s, MIB(9), NPT_W) && space_allows(s, MIB(9) - 1, NPT_W))) {
		CHECK(rounds++ < 8, "the pages take turns");
		outcome = space_fault(s, space_allows(s, MIB(9) - 1, NPT_W) ? MIB(9) : MIB(9) - 1, NPT_W);
	}
	CHECK_EQ(outcome, FAULT_NO_MEMORY);
	ram_release(&s->ram);
	space_leave(s, 1);
	CHECK_EQ(space_fault(s, MIB(9), NPT_W), FAULT_HANDLED);
	CHECK(space_allows(s, MIB(9) - 1, NPT_W) && space_allows(s, MIB(9), NPT_W), "both");
}

/* By every policy, where nothing was and where zeros were: counted as what it is, and not taken back before it is used. */
static void what_was_just_given_is_spared(void **state)
{
	struct space *s = *state;

	for (unsigned policy = ALLOC_LAZY_4K; policy <= ALLOC_LAZY_AUTO; policy++)
		for (unsigned zeros = 0; zeros < 2; zeros++) {
			struct addr_space_stats before, after;

			CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, policy), ERR_OK);
			more_area(s);
			space_store(s, 0, 1);
			if (zeros)
				space_touch(s, MIB(2) + KIB(68), NPT_R);
			before = space_stats(s);
			CHECK_EQ(space_fault(s, MIB(2) + KIB(68), NPT_W), FAULT_HANDLED);
			after = space_stats(s);
			CHECK_EQ(after.handled_unzero - before.handled_unzero, zeros);
			CHECK_EQ(after.handled_fresh - before.handled_fresh, !zeros);
			space_leave(s, 0);
			(void)space_fault(s, MIB(8) + KIB(4), NPT_W); /* handled, or there is no memory to be had */
			CHECK(space_allows(s, MIB(2) + KIB(68), NPT_RW), "policy %u: gone before it was used", policy);
			ram_release(&s->ram);
			space_clear(s);
		}
}

/* A CPU that has not heard of the flush yet writes to a page that seems to be zero. */
static void write_behind_the_back(struct space *s)
{
	*(uint8_t *)arena_at(&s->ram.arena, s->tlb.now.all[0].hpa + KIB(16) + 5) = 77;
}

static void a_write_at_the_last_moment_is_kept(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	more_area(s);
	write_pages(s, 0, 1, true);
	write_pages(s, KIB(64), 32, false);
	space_check(s); /* the TLB has seen it all: the first run begins at 0, and is 16 pages */
	CHECK_EQ(s->tlb.now.all[0].start, 0);
	CHECK(s->tlb.now.all[0].end >= KIB(64), "not contiguous");
	space_leave(s, 0);
	s->meanwhile = write_behind_the_back;
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_HANDLED);
	CHECK(!s->meanwhile, "nothing was flushed");
	CHECK_EQ(*space_byte(s, KIB(16) + 5), 77);
	CHECK(space_allows(s, KIB(16), NPT_RW), "it can be written as before");
	CHECK(!space_allows(s, KIB(20), NPT_R), "its neighbour was not taken");
}

/* Where a guest past the caches has written, and what our caches do not show before they are made the same. */
static uint8_t *late;

static void reveal(void *bytes, uint64_t size)
{
	if (late >= (uint8_t *)bytes && late < (uint8_t *)bytes + size) {
		*late = 77;
		late = NULL;
	}
}

/* What seems to be zeros is looked at as the guest sees it. */
static void a_write_past_the_caches_is_kept(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	more_area(s);
	write_pages(s, 0, 40, false);
	write_pages(s, MIB(1), ADDR_SPACE_RECENT, true); /* so that the others are not the last ones */
	space_leave(s, 0);
	late = space_byte(s, KIB(16) + 4000);
	s->as.sync = reveal;
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_W), FAULT_HANDLED);
	s->as.sync = NULL;
	CHECK(!late, "the page was not made the same");
	CHECK(space_allows(s, KIB(16), NPT_RW), "the page was taken");
	CHECK_EQ(*space_byte(s, KIB(16) + 4000), 77);
	CHECK_EQ(space_stats(s).reclaimed, 39 * PAGE_SIZE);
}

/* Memory that another space has too would not be free. */
static void what_is_shared_is_left_alone(void **state)
{
	struct space *s = *state, *child;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	more_area(s);
	write_pages(s, 0, 2, true);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_leave(s, 0);
	CHECK_EQ(space_fault(child, MIB(8) + KIB(4), NPT_W), FAULT_NO_MEMORY);
	CHECK_EQ(space_level(child, 0), 1);
	CHECK(child->as.reserve.raw != 0, "the reserve was spent");
	/* Once nobody else has it, it can be taken. */
	ram_release(&s->ram);
	space_end(s);
	space_leave(s, 0);
	CHECK_EQ(space_fault(child, MIB(8) + KIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(child).shared + space_stats(child).resident, MIB(2) + KIB(8) - space_stats(child).reclaimed);
	expect_pages(child, 0, 2);
}

/* The hypervisor's own writes find memory in the same way, and the hand goes round all areas. */
static void the_hand_goes_round(void **state)
{
	struct space *s = *state;
	uint8_t byte = 1;

	for (unsigned i = 0; i < 8; i++) {
		CHECK_ERR(space_alloc(s, GIB(i), MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
		write_pages(s, GIB(i), 40, false);
		write_pages(s, GIB(i) + KIB(512), 10, true);
	}
	CHECK_ERR(space_alloc(s, GIB(8), MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_store(s, GIB(8), 1);
	space_leave(s, 0);
	for (unsigned page = 1; page <= 320; page++) {
		space_begin(s);
		CHECK_ERR(addr_space_write(&s->as, GPA(GIB(8) + page * PAGE_SIZE), &byte, 1), ERR_OK);
		/* Not all at once: 256 KiB, or what completes a block. */
		CHECK_EQ(space_stats(s).reclaimed, (page + 79) / 80 * 80 * PAGE_SIZE);
	}
	CHECK_ERR(addr_space_write(&s->as, GPA(GIB(8) + 321 * PAGE_SIZE), &byte, 1), ERR_NO_MEMORY);
	space_check(s);
	CHECK_EQ(space_stats(s).reclaimed, 320 * PAGE_SIZE);
	for (unsigned i = 0; i < 8; i++) {
		expect_pages(s, GIB(i) + KIB(512), 10);
		CHECK_EQ(backed(s, GIB(i), 40), 0);
	}
}

/* --- Of an idle guest ------------------------------------------------------------------------------------------------ */

/* Look through all of the space. Returns in how many pieces. */
static unsigned tidy_up(struct space *s)
{
	unsigned pieces = 0;
	gpa_t at = GPA(0);
	bool more = true;

	for (; more; pieces++) {
		space_begin(s);
		more = addr_space_tidy(&s->as, &at);
		CHECK(pieces < 10000, "no end");
		CHECK_EQ(more, at.raw != 0);
	}
	space_check(s);
	return pieces;
}

static void zeros_of_an_idle_guest_go(void **state)
{
	struct space *s = *state;
	unsigned pieces;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	more_area(s);
	write_pages(s, 0, 100, true);
	write_pages(s, 100 * PAGE_SIZE, 500, false);
	write_pages(s, 600 * PAGE_SIZE, 56, true);
	pieces = tidy_up(s);
	CHECK_EQ(space_stats(s).reclaimed, 500 * PAGE_SIZE);
	CHECK_EQ(resident(s), 156 * PAGE_SIZE + PAGE_SIZE);
	CHECK_EQ(backed(s, 100 * PAGE_SIZE, 500), 0);
	CHECK(pieces >= 500 / 64, "all of it in %u pieces", pieces);
	expect_pages(s, 0, 100);
	expect_pages(s, 600 * PAGE_SIZE, 56);
	/* As good as ever; and nothing is left to find. */
	CHECK_EQ(space_load(s, 100 * PAGE_SIZE), 0);
	space_store(s, 101 * PAGE_SIZE, 9);
	tidy_up(s);
	CHECK_EQ(space_stats(s).reclaimed, 500 * PAGE_SIZE);
	CHECK_EQ(space_load(s, 101 * PAGE_SIZE), 9);
}

/* What is promised, what is large, what is shared, and what has just been given stay. */
static void an_idle_guest_keeps_the_rest(void **state)
{
	struct space *s = *state, *child;
	struct image image;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_ERR(space_linear(s, GIB(1), SPACE_RAM_AT, KIB(64), NPT_R), ERR_OK);
	space_store(s, MIB(2), 1);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_ERR(space_alloc(s, MIB(8), MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	write_pages(s, MIB(8), 2, false);
	image_take(&image, &s->view);
	tidy_up(s);
	image_expect(&image, &s->view, "promised, large, or new");
	CHECK_EQ(s->flushes, 0);
	write_pages(s, MIB(9), ADDR_SPACE_RECENT, true);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	tidy_up(s);
	tidy_up(child);
	CHECK_EQ(space_stats(s).reclaimed + space_stats(child).reclaimed, 0);
	space_end(child);
	tidy_up(s);
	CHECK_EQ(space_stats(s).reclaimed, 2 * PAGE_SIZE);
}

/* Zeros written over something are a change, which the log must show. */
static void an_idle_guest_keeps_what_is_logged(void **state)
{
	struct space *s = *state;
	uint64_t bits[8];

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	more_area(s);
	write_pages(s, 0, 40, true);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, 0, MIB(2), true, bits), 40);
	for (unsigned page = 0; page < 40; page++)
		space_store(s, page * PAGE_SIZE + 24, 0);
	write_pages(s, MIB(9), ADDR_SPACE_RECENT, true);
	tidy_up(s);
	CHECK_EQ(space_stats(s).reclaimed, 0);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, 0, MIB(2), false, bits), 40);
	tidy_up(s);
	CHECK_EQ(space_stats(s).reclaimed, 40 * PAGE_SIZE);
}

static void an_idle_guest_may_write_meanwhile(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	more_area(s);
	write_pages(s, 0, 1, true);
	write_pages(s, KIB(64), 32, false);
	space_check(s);
	s->meanwhile = write_behind_the_back;
	tidy_up(s);
	CHECK(!s->meanwhile, "nothing was flushed");
	CHECK_EQ(*space_byte(s, KIB(16) + 5), 77);
	CHECK(space_allows(s, KIB(16), NPT_RW), "it can be written as before");
	CHECK(!space_allows(s, KIB(20), NPT_R), "its neighbour was not taken");
}

/* What is not there takes no time, whatever its size. */
static void nothing_is_soon_looked_through(void **state)
{
	struct space *s = *state;
	uint64_t size = BIT(s->as.npt.config.gpa_bits) / 4;

	for (unsigned i = 0; i < 4; i++)
		CHECK_ERR(space_alloc(s, size * i, size, i % 2 ? NPT_R : NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_store(s, size * 3 - PAGE_SIZE, 1);
	CHECK(tidy_up(s) < 40, "not soon");
	CHECK_EQ(s->flushes, 0);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "what_nobody_has_used_goes_first", what_nobody_has_used_goes_first },
		{ "zeros_go_next_and_data_never", zeros_go_next_and_data_never },
		{ "without_zeros_there_is_no_memory", without_zeros_there_is_no_memory },
		{ "shared_zeros_are_left_alone", shared_zeros_are_left_alone },
		{ "large_leaves_are_split", large_leaves_are_split },
		{ "populated_memory_is_spared", populated_memory_is_spared },
		{ "two_pages_at_once_or_no_memory", two_pages_at_once_or_no_memory },
		{ "what_was_just_given_is_spared", what_was_just_given_is_spared },
		{ "a_write_at_the_last_moment_is_kept", a_write_at_the_last_moment_is_kept },
		{ "a_write_past_the_caches_is_kept", a_write_past_the_caches_is_kept },
		{ "what_is_shared_is_left_alone", what_is_shared_is_left_alone },
		{ "the_hand_goes_round", the_hand_goes_round },
		{ "zeros_of_an_idle_guest_go", zeros_of_an_idle_guest_go },
		{ "an_idle_guest_keeps_the_rest", an_idle_guest_keeps_the_rest },
		{ "an_idle_guest_keeps_what_is_logged", an_idle_guest_keeps_what_is_logged },
		{ "an_idle_guest_may_write_meanwhile", an_idle_guest_may_write_meanwhile },
		{ "nothing_is_soon_looked_through", nothing_is_soon_looked_through },
	};

	return space_suite_both_marks("reclaim", tests, ARRAY_LEN(tests));
}
