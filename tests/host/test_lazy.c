/* SPDX-License-Identifier: BSD-2-Clause */
/* The lazy policies: zeros for who only reads, and for who writes as much memory as the policy says, at the first touch. */
#include "tests/host/space.h"

#include <string.h>

static uint64_t zeros_of(struct space *s, unsigned level)
{
	return space_stats(s).zero_leaves[level];
}

/* --- The zero page ------------------------------------------------------------------------------------------------- */

static void reading_costs_nothing(void **state)
{
	struct space *s = *state;
	uint64_t taken, hpa;

	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(2), NPT_R), FAULT_HANDLED);
	CHECK_EQ(frame_get_stats().zero, PAGE_SIZE);
	hpa = view_walk(&s->view, MIB(2), 0).hpa;
	taken = ram_free_bytes();
	for (uint64_t page = 1; page < 64; page++) {
		CHECK_EQ(space_fault(s, MIB(2) + page * PAGE_SIZE, page & 1 ? NPT_X : NPT_R), FAULT_HANDLED);
		CHECK_EQ(view_walk(&s->view, MIB(2) + page * PAGE_SIZE, 0).hpa, hpa);
		CHECK(space_allows(s, MIB(2) + page * PAGE_SIZE, NPT_RX), "not to be read");
		CHECK(!space_allows(s, MIB(2) + page * PAGE_SIZE, NPT_W), "everybody's zeros can be written");
	}
	CHECK_EQ(ram_free_bytes(), taken);
	CHECK_EQ(space_stats(s).resident, 0);
	CHECK_EQ(space_stats(s).resident_peak, 0);
	CHECK_EQ(space_stats(s).handled_zero, 64);
	CHECK_EQ(zeros_of(s, 0), 64);
	CHECK_EQ(space_fault(s, MIB(2), NPT_R), FAULT_SPURIOUS);
	CHECK_EQ(s->flushes, 0);
}

static void a_write_gets_memory_in_place_of_zeros(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < KIB(64); at += PAGE_SIZE)
		CHECK_EQ(space_fault(s, at, NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, KIB(8), NPT_W), FAULT_HANDLED);
	CHECK_EQ(s->flushes, 1); /* a CPU may remember the zeros */
	CHECK(space_allows(s, KIB(8), NPT_RW) && !space_is_zero(s, KIB(8)), "no memory");
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		CHECK_EQ(*space_byte(s, KIB(8) + i), 0);
	memset(space_byte(s, KIB(8)), 0xee, PAGE_SIZE);
	CHECK(space_is_zero(s, KIB(4)) && space_is_zero(s, KIB(12)), "neighbours");
	CHECK_EQ(*space_byte(s, KIB(12)), 0);
	CHECK_EQ(space_stats(s).resident, PAGE_SIZE);
	CHECK_EQ(space_stats(s).handled_unzero, 1);
	CHECK_EQ(zeros_of(s, 0), 15);
	CHECK_EQ(space_fault(s, KIB(8), NPT_W), FAULT_SPURIOUS);
}

/* Whatever is done to their permissions: checked after each step, for every zero leaf there is. */
static void zeros_are_never_writable(void **state)
{
	struct space *s = *state;
	struct host_rng rng = host_rng("zeros_are_never_writable", 5);
	const unsigned prots[] = { NPT_R, NPT_RW, NPT_RX, NPT_RWX };

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	for (uint64_t at = 0; at < MIB(5); at += KIB(64))
		space_touch(s, at, NPT_R);
	CHECK_EQ(zeros_of(s, 1), 2);
	CHECK_EQ(zeros_of(s, 0), 256);
	for (unsigned step = 0; step < 40; step++) {
		uint64_t start = host_below(&rng, MIB(5) / PAGE_SIZE) * PAGE_SIZE;
		uint64_t size = min_u64((1 + host_below(&rng, 300)) * PAGE_SIZE, MIB(5) - start);

		CHECK_ERR(space_protect(s, start, size, prots[host_below(&rng, 4)]), ERR_OK);
	}
	CHECK_ERR(space_protect(s, 0, MIB(5), NPT_RW), ERR_OK);
	CHECK_EQ(zeros_of(s, 0) + 512 * zeros_of(s, 1), MIB(5) / PAGE_SIZE);
	for (uint64_t at = 0; at < MIB(5); at += KIB(4))
		CHECK(space_is_zero(s, at) && !space_allows(s, at, NPT_W), "%#jx", (uintmax_t)at);
	CHECK_EQ(space_stats(s).resident, 0);
}

static void a_block_of_zeros_is_one_leaf(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(2) - KIB(8), MIB(6) + KIB(8), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(3), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(7), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(2) - KIB(4), NPT_R), FAULT_HANDLED); /* here no block fits */
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_level(s, MIB(2) - KIB(4)), 0);
	CHECK(!space_allows(s, MIB(2) - KIB(8), 0), "a neighbour");
	CHECK_EQ(zeros_of(s, 1), 2);
	CHECK_EQ(zeros_of(s, 0), 1);
	CHECK_EQ(space_stats(s).resident, 0);
	CHECK_EQ(frame_get_stats().zero, MIB(2) + PAGE_SIZE);
	/* One write splits it, and what it does not write stays as it is. */
	CHECK_EQ(space_fault(s, MIB(3) + 5, NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(3)), 0);
	CHECK_EQ(zeros_of(s, 1), 1);
	CHECK_EQ(zeros_of(s, 0), 1 + 511);
	CHECK_EQ(space_stats(s).resident, PAGE_SIZE);
	CHECK_EQ(space_stats(s).split, 1);
	for (uint64_t at = MIB(2); at < MIB(4); at += PAGE_SIZE)
		CHECK(space_is_zero(s, at) == (at != MIB(3)) && *space_byte(s, at + 9) == 0, "%#jx", (uintmax_t)at);
}

static void counts_of_zeros_follow_every_change(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(8), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	for (uint64_t at = 0; at < MIB(8); at += MIB(2))
		CHECK_EQ(space_fault(s, at, NPT_R), FAULT_HANDLED);
	CHECK_EQ(zeros_of(s, 1), 4);
	/* Cut at one end, at both in one leaf, and across leaves. */
	CHECK_ERR(space_discard(s, MIB(1), MIB(1)), ERR_OK);
	CHECK_EQ(zeros_of(s, 1), 3);
	CHECK_EQ(zeros_of(s, 0), 256);
	CHECK_ERR(space_unmap(s, MIB(3), KIB(8)), ERR_OK);
	CHECK_EQ(zeros_of(s, 1), 2);
	CHECK_EQ(zeros_of(s, 0), 256 + 510);
	CHECK_ERR(space_protect(s, MIB(5), MIB(2), NPT_R), ERR_OK);
	CHECK_EQ(zeros_of(s, 1), 0);
	CHECK_EQ(zeros_of(s, 0), 256 + 510 + 1024);
	/* Whole again, and alike: one leaf each. */
	CHECK_ERR(space_protect(s, MIB(5), MIB(2), NPT_RW), ERR_OK);
	CHECK_EQ(zeros_of(s, 1), 2);
	CHECK_EQ(zeros_of(s, 0), 256 + 510);
	CHECK_EQ(space_stats(s).merged, 2);
	CHECK_ERR(space_unmap(s, 0, MIB(6)), ERR_OK);
	CHECK_EQ(zeros_of(s, 1), 1);
	CHECK_EQ(zeros_of(s, 0), 0);
	space_clear(s);
	CHECK_EQ(zeros_of(s, 1), 0);
	CHECK_EQ(space_stats(s).resident_peak, 0);
}

static void without_a_block_zeros_are_small(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	ram_scatter(&s->ram, 8, 4);
	CHECK_EQ(space_fault(s, 0, NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_level(s, 0), 0);
	CHECK(space_is_zero(s, 0) && !space_allows(s, KIB(4), 0), "more than the page");
	CHECK_EQ(frame_get_stats().zero, PAGE_SIZE);
	ram_release(&s->ram);
	CHECK_EQ(space_fault(s, MIB(2), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(2)), 1);
}

/* --- 64 KiB -------------------------------------------------------------------------------------------------------- */

/* How many pages of [start, end) have memory of their own. */
static uint64_t backed(struct space *s, uint64_t start, uint64_t end)
{
	uint64_t pages = 0;

	for (uint64_t at = start; at < end; at += PAGE_SIZE)
		pages += space_allows(s, at, NPT_W);
	return pages;
}

static void sixteen_pages_at_once(void **state)
{
	struct space *s = *state;

	/* From within one window to within another. */
	CHECK_ERR(space_alloc(s, MIB(1) + KIB(20), KIB(64) * 3, NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(1) + KIB(64 + 40), NPT_W), FAULT_HANDLED);
	CHECK_EQ(backed(s, MIB(1), MIB(2)), 16);
	CHECK_EQ(backed(s, MIB(1) + KIB(64), MIB(1) + KIB(128)), 16);
	CHECK_EQ(space_fault(s, MIB(1) + KIB(60), NPT_W), FAULT_HANDLED); /* the first window is 11 pages, */
	CHECK_EQ(backed(s, MIB(1), MIB(1) + KIB(64)), 11);
	CHECK_EQ(space_fault(s, MIB(1) + KIB(192), NPT_W), FAULT_HANDLED); /* and the last one 5 */
	CHECK_EQ(backed(s, MIB(1) + KIB(192), MIB(2)), 5);
	CHECK_EQ(space_stats(s).resident, 32 * PAGE_SIZE);
	CHECK_EQ(space_stats(s).handled_fresh, 3);
	for (uint64_t at = MIB(1) + KIB(20); at < MIB(1) + KIB(128); at += 256)
		CHECK_EQ(*space_byte(s, at), 0);
	CHECK_EQ(s->flushes, 0);
	CHECK_EQ(space_level(s, MIB(1) + KIB(64)), 0);
}

static void a_window_is_filled_where_nothing_is(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	for (uint64_t at = 0; at < KIB(64); at += KIB(4))
		space_store(s, at, (uint8_t)(at / KIB(4) + 1));
	CHECK_ERR(space_discard(s, KIB(12), KIB(16)), ERR_OK);
	CHECK_EQ(space_stats(s).resident, KIB(48));
	CHECK_EQ(space_fault(s, KIB(20), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).resident, KIB(64));
	for (uint64_t at = 0; at < KIB(64); at += KIB(4))
		CHECK_EQ(*space_byte(s, at), at >= KIB(12) && at < KIB(28) ? 0 : at / KIB(4) + 1);
}

static void a_window_of_zeros_comes_and_goes_at_once(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	CHECK_EQ(space_fault(s, KIB(36), NPT_W), FAULT_HANDLED);
	CHECK_ERR(space_discard(s, KIB(32), KIB(4)), ERR_OK);
	CHECK_ERR(space_discard(s, KIB(40), KIB(12)), ERR_OK);
	CHECK_EQ(space_fault(s, KIB(40), NPT_R), FAULT_HANDLED);
	CHECK_EQ(zeros_of(s, 0), 4); /* what was not there */
	CHECK_EQ(backed(s, 0, MIB(1)), 12);
	CHECK_EQ(space_fault(s, KIB(64), NPT_X | NPT_R), FAULT_DENIED);
	CHECK_EQ(space_fault(s, KIB(68), NPT_R), FAULT_HANDLED);
	CHECK_EQ(zeros_of(s, 0), 4 + 16);
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_EQ(space_fault(s, KIB(80), NPT_W), FAULT_HANDLED);
	CHECK(s->flushes >= 1 && s->flushes <= 2, "%ju flushes for one window", (uintmax_t)s->flushes);
	CHECK_EQ(zeros_of(s, 0), 4);
	CHECK_EQ(backed(s, KIB(64), KIB(128)), 16);
	CHECK_EQ(space_stats(s).resident, 28 * PAGE_SIZE);
}

static void scattered_frames_fill_a_window_too(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	ram_scatter(&s->ram, 0, 40);
	CHECK_EQ(space_fault(s, KIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(backed(s, 0, MIB(1)), 16);
	CHECK_EQ(space_stats(s).handled_fresh, 1);
	for (uint64_t at = 0; at < KIB(64); at += KIB(4))
		*space_byte(s, at) = (uint8_t)(at / KIB(4));
	for (uint64_t at = 0; at < KIB(64); at += KIB(4))
		CHECK_EQ(*space_byte(s, at), at / KIB(4));
}

/* The page that was asked for comes first; how much of the rest there is, is nobody's worry. */
static void memory_may_end_within_a_window(void **state)
{
	struct space *s = *state;
	const uint64_t tables = s->format->config.levels - 1u;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	for (uint64_t frames = 0; frames <= tables + 16; frames++) {
		enum fault_outcome outcome;

		space_leave(s, frames);
		outcome = space_fault(s, KIB(40), NPT_W);
		if (frames <= tables) {
			CHECK_EQ(outcome, FAULT_NO_MEMORY);
			CHECK_EQ(ram_free_bytes(), frames * PAGE_SIZE);
		} else {
			CHECK_EQ(outcome, FAULT_HANDLED);
			CHECK(space_allows(s, KIB(40), NPT_RW), "the page itself");
			CHECK_EQ(space_stats(s).resident, (frames - tables) * PAGE_SIZE);
		}
		CHECK_ERR(space_discard(s, 0, MIB(1)), ERR_OK);
		ram_release(&s->ram);
	}
}

/* --- 2 MiB --------------------------------------------------------------------------------------------------------- */

static void two_mebibytes_at_once(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(2) - KIB(8), MIB(4) + KIB(12), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(5), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(4)), 1);
	CHECK_EQ(space_stats(s).resident, MIB(2));
	for (uint64_t at = MIB(4); at < MIB(6); at += 1024)
		CHECK_EQ(*space_byte(s, at), 0);
	/* Where no block fits, pages. */
	CHECK_EQ(space_fault(s, MIB(2) - KIB(8), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(6), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(2) - KIB(8)), 0);
	CHECK(!space_allows(s, MIB(2) - KIB(4), 0), "a neighbour");
	CHECK_EQ(space_stats(s).resident, MIB(2) + KIB(8));
	/* Zeros become memory whole. */
	CHECK_EQ(space_fault(s, MIB(2), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(3), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(s).resident, MIB(4) + KIB(8));
	CHECK_EQ(space_stats(s).handled_unzero, 1);
	CHECK_EQ(zeros_of(s, 0) + zeros_of(s, 1), 0);
	CHECK_EQ(space_stats(s).split, 0);
}

static void without_a_block_pages_until_they_are_one(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(2), NPT_R), FAULT_HANDLED); /* zeros, of 2 MiB */
	ram_scatter(&s->ram, 8, 2);
	space_store(s, 0, 1);
	space_store(s, MIB(2), 1);
	space_check(s);
	CHECK_EQ(space_level(s, 0), 0);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	CHECK_EQ(space_stats(s).resident, 2 * PAGE_SIZE);
	CHECK_EQ(zeros_of(s, 0), 511);
	ram_release(&s->ram);
	for (unsigned page = 1; page < 1024; page++)
		space_store(s, page * KIB(4), (uint8_t)(page % 255 + 1));
	space_check(s);
	CHECK_EQ(space_level(s, 0), 1);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(s).promoted + space_stats(s).merged, 2);
	CHECK_EQ(space_stats(s).resident, MIB(4));
	for (unsigned page = 1; page < 1024; page++)
		CHECK_EQ(*space_byte(s, page * KIB(4)), page % 255 + 1);
}

/* --- Populate ------------------------------------------------------------------------------------------------------ */

static void populate_by_policy_fills_what_is_missing(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(6), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	space_store(s, MIB(1), 42);
	space_load(s, MIB(2));          /* 2 MiB of zeros */
	space_load(s, KIB(8) + MIB(1)); /* one page of them */
	CHECK_ERR(space_set_policy(s, 0, MIB(6), ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(space_stats(s).resident, MIB(6));
	CHECK_EQ(zeros_of(s, 0) + zeros_of(s, 1), 0);
	CHECK_EQ(backed(s, 0, MIB(6)), 1536);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_level(s, MIB(4)), 1);
	CHECK_EQ(*space_byte(s, MIB(1)), 42);
	CHECK_ERR(space_set_policy(s, 0, MIB(6), ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(space_stats(s).resident, MIB(6));
	/* Given back, and touched again: by large leaves, the whole time. */
	CHECK_ERR(space_discard(s, 0, MIB(6)), ERR_OK);
	CHECK_EQ(space_stats(s).resident, 0);
	CHECK_EQ(space_fault(s, MIB(3), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(*space_byte(s, MIB(2)), 0);
	CHECK_EQ(space_fault(s, MIB(1), NPT_R), FAULT_HANDLED);
	CHECK_EQ(zeros_of(s, 1), 1);
}

/* On a machine that has one to give. */
static void populate_takes_a_gibibyte(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, GIB(3), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	space_store(s, GIB(1) - MIB(2), 42);
	CHECK_ERR(space_set_policy(s, GIB(1) - MIB(4), GIB(1) + MIB(4), ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(space_stats(s).resident, GIB(1) + MIB(4));
	CHECK_EQ(space_level(s, GIB(1) - MIB(4)), 1);
	CHECK_EQ(space_level(s, GIB(1) - MIB(2)), 0);
	CHECK_EQ(space_level(s, GIB(1)), 2);
	CHECK_EQ(*space_byte(s, GIB(1) - MIB(2)), 42);
	/* There is no second one: as large as can be had. */
	CHECK_ERR(space_set_policy(s, GIB(2) + MIB(1), MIB(5), ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(space_level(s, GIB(2) + MIB(2)), 1);
	CHECK_EQ(space_level(s, GIB(2) + MIB(1)), 0);
	space_store(s, GIB(1) + MIB(700), 43);
	CHECK_ERR(space_protect(s, GIB(1) + MIB(700), KIB(4), NPT_R), ERR_OK);
	CHECK_EQ(space_stats(s).split, 2);
	CHECK_ERR(space_protect(s, GIB(1) + MIB(700), KIB(4), NPT_RW), ERR_OK);
	CHECK_EQ(space_level(s, GIB(1)), 2);
	CHECK_EQ(space_load(s, GIB(1) + MIB(700)), 43);
	CHECK_ERR(space_discard(s, GIB(1) + MIB(300), MIB(400)), ERR_OK);
	CHECK_EQ(space_stats(s).discarded, MIB(400));
	CHECK_EQ(space_level(s, GIB(1)), 1);
	CHECK_EQ(space_load(s, GIB(1) + MIB(700)), 43);
	CHECK_EQ(space_load(s, GIB(1) + MIB(699)), 0);
}

static int setup_gibibytes(void **state)
{
	*state = space_new(*state, GIB(2) + MIB(16));
	return 0;
}

static void policies_are_for_ranges(void **state)
{
	struct space *s = *state;
	const uint64_t end = BIT(s->format->config.gpa_bits);

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(4), 0, MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(space_set_policy(s, KIB(64), KIB(64), ALLOC_LAZY_64K), ERR_OK);
	CHECK_EQ(space_fault(s, 0, NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, KIB(64), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, KIB(128), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).resident, KIB(4 + 64 + 4));
	CHECK_ERR(space_set_policy(s, 0, MIB(4), ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(area_find_from(&s->as.areas, 0)->end, MIB(4)); /* one area again */
	CHECK_ERR(space_set_policy(s, 0, MIB(5), ALLOC_LAZY_2M), ERR_INVALID);
	CHECK_ERR(space_set_policy(s, MIB(5), KIB(4), ALLOC_LAZY_2M), ERR_INVALID);
	CHECK_ERR(space_set_policy(s, 0, KIB(4), ALLOC_POLICIES), ERR_INVALID);
	CHECK_ERR(space_set_policy(s, 0, 0, ALLOC_LAZY_2M), ERR_INVALID);
	CHECK_ERR(space_set_policy(s, 8, KIB(4), ALLOC_LAZY_2M), ERR_INVALID);
	CHECK_ERR(space_set_policy(s, MIB(6), KIB(4), ALLOC_LAZY_2M), ERR_NOT_FOUND);
	CHECK_ERR(space_set_policy(s, end, KIB(4), ALLOC_LAZY_2M), ERR_RANGE);
	CHECK_EQ(area_find_from(&s->as.areas, 0)->policy, ALLOC_LAZY_4K);
}

/* --- Frames on hand ------------------------------------------------------------------------------------------------ */

/* What faults are served from counts as free, and is zero, whatever was in it. */
static void frames_on_hand_are_free_and_zero(void **state)
{
	struct space *s = *state;
	uint64_t free = ram_free_bytes();

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < MIB(2); at += PAGE_SIZE) {
		CHECK_EQ(space_fault(s, at, NPT_W), FAULT_HANDLED);
		CHECK_EQ(free - ram_free_bytes(), at + PAGE_SIZE + s->as.npt.table_bytes - (PAGE_SIZE << s->as.npt.root_order));
		for (unsigned i = 0; i < PAGE_SIZE; i += 8)
			CHECK_EQ(*space_byte(s, at + i), 0);
		memset(space_byte(s, at), 0x5a, PAGE_SIZE);
	}
	CHECK_ERR(space_discard(s, 0, MIB(2)), ERR_OK);
	CHECK_EQ(space_fault(s, 0, NPT_W), FAULT_HANDLED);
	CHECK_EQ(*space_byte(s, 8), 0);
	addr_space_release_held(&s->as);
	space_check(s);
	CHECK_EQ(s->as.view.run.end, 0);
	addr_space_release_held(&s->as); /* nothing is left */
}

static unsigned publications;

static void count_publish(void *bytes, uint64_t size)
{
	(void)bytes;
	(void)size;
	publications++;
}

/* What is cleared ahead of time needs no clearing at the fault; and there is an end to it. */
static void zeroed_ahead_of_time(void **state)
{
	struct space *s = *state;
	unsigned pages = 0;

	s->as.publish = count_publish;
	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned i = 0; i < 129; i++) /* the first runs are short */
		CHECK_EQ(space_fault(s, MIB(1) + i * PAGE_SIZE, NPT_W), FAULT_HANDLED);
	while (addr_space_zero_ahead(&s->as.view))
		CHECK(++pages < 512, "no end to it");
	CHECK(!addr_space_zero_ahead(&s->as.view), "more");
	pages = (unsigned)((s->as.view.run.end - s->as.view.run.next) / PAGE_SIZE);
	CHECK(pages >= 64, "only %u pages", pages);
	publications = 0;
	for (uint64_t at = 0; at < pages * PAGE_SIZE; at += PAGE_SIZE) {
		CHECK_EQ(space_fault(s, at, NPT_W), FAULT_HANDLED);
		for (unsigned i = 0; i < PAGE_SIZE; i += 8)
			CHECK_EQ(*space_byte(s, at + i), 0);
	}
	CHECK_EQ(publications, 0);
	CHECK_EQ(space_fault(s, MIB(2) - 1, NPT_W), FAULT_HANDLED);
	CHECK_EQ(publications, 1);
	/* Without a frame there is none to be cleared. */
	space_leave(s, 0);
	CHECK(!addr_space_zero_ahead(&s->as.view), "of nothing");
	s->as.publish = NULL;
}

/* All memory is on hand for faults, and something else is wanted: it goes for that. */
static void what_is_on_hand_serves_other_wants(void **state)
{
	struct space *s = *state, *child;

	for (unsigned want = 0; want < 4; want++) {
		enum err err = ERR_OK;
		hpa_t block;

		CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
		CHECK_ERR(space_alloc(s, MIB(4), MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
		CHECK_EQ(space_fault(s, 0, NPT_W), FAULT_HANDLED);
		*space_byte(s, 0) = 1;
		space_store(s, MIB(4), 2);
		if (want == 3)
			CHECK_ERR(space_fork(s, &child), ERR_OK);
		CHECK_ERR(frame_alloc(5, &block), ERR_OK);
		space_leave(s, 0);
		frame_free(block, 5);                   /* that, in one piece */
		s->as.view.run.count = FRAME_RUN_ORDER; /* as after many faults */
		CHECK(addr_space_zero_ahead(&s->as.view), "nothing is on hand");
		CHECK_EQ(s->as.view.run.end - s->as.view.run.next, KIB(128));
		switch (want) {
		case 0: /* a table */
			err = space_protect(s, KIB(4), KIB(4), NPT_R);
			break;
		case 1: /* a structure for an area */
			for (uint64_t i = 0; err == ERR_OK && i < 64; i++)
				err = space_alloc(s, MIB(16) + i * KIB(8), KIB(4), NPT_RW, ALLOC_LAZY_4K);
			break;
		case 2: /* pages and a table, one after the other */
			for (uint64_t at = MIB(2); err == ERR_OK && at < MIB(2) + 29 * PAGE_SIZE; at += PAGE_SIZE)
				err = space_fault(s, at, NPT_W) == FAULT_HANDLED ? ERR_OK : ERR_NO_MEMORY;
			break;
		default: /* a copy */
			err = space_fault(s, MIB(4), NPT_W) == FAULT_HANDLED ? ERR_OK : ERR_NO_MEMORY;
			CHECK_EQ(*space_byte(s, MIB(4)), 2);
			break;
		}
		CHECK(err == ERR_OK, "want %u: %s", want, host_err(err));
		CHECK_EQ(*space_byte(s, 0), 1);
		space_check(s);
		ram_release(&s->ram);
		space_clear(s);
	}
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "reading_costs_nothing", reading_costs_nothing },
		{ "a_write_gets_memory_in_place_of_zeros", a_write_gets_memory_in_place_of_zeros },
		{ "zeros_are_never_writable", zeros_are_never_writable },
		{ "a_block_of_zeros_is_one_leaf", a_block_of_zeros_is_one_leaf },
		{ "counts_of_zeros_follow_every_change", counts_of_zeros_follow_every_change },
		{ "without_a_block_zeros_are_small", without_a_block_zeros_are_small },
		{ "sixteen_pages_at_once", sixteen_pages_at_once },
		{ "a_window_is_filled_where_nothing_is", a_window_is_filled_where_nothing_is },
		{ "a_window_of_zeros_comes_and_goes_at_once", a_window_of_zeros_comes_and_goes_at_once },
		{ "scattered_frames_fill_a_window_too", scattered_frames_fill_a_window_too },
		{ "memory_may_end_within_a_window", memory_may_end_within_a_window },
		{ "two_mebibytes_at_once", two_mebibytes_at_once },
		{ "without_a_block_pages_until_they_are_one", without_a_block_pages_until_they_are_one },
		{ "populate_by_policy_fills_what_is_missing", populate_by_policy_fills_what_is_missing },
		{ "policies_are_for_ranges", policies_are_for_ranges },
		{ "frames_on_hand_are_free_and_zero", frames_on_hand_are_free_and_zero },
		{ "zeroed_ahead_of_time", zeroed_ahead_of_time },
		{ "what_is_on_hand_serves_other_wants", what_is_on_hand_serves_other_wants },
	};

	static struct suite large; /* on one format, since all that memory is zeroed */

	suite_add(&large, "populate_takes_a_gibibyte", formats[0].name, populate_takes_a_gibibyte, setup_gibibytes, space_teardown,
		  &formats[0]);
	return space_suite("lazy", tests, ARRAY_LEN(tests)) + suite_run(&large, "lazy_gibibytes");
}
