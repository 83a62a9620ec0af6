/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy `auto`: more at once where a sequence goes on, large leaves where a block is dense. And leaves that merge. */
#include "tests/host/space.h"

#include <string.h>

#include "mm/space.h"

static uint64_t stamp_of(uint64_t gpa)
{
	return gpa * 0x9e3779b97f4a7c15 + 1;
}

/* A guest's write of something that is nowhere else. Returns how many faults it took. */
static unsigned put_stamp(struct space *s, uint64_t gpa)
{
	unsigned faults = space_touch(s, gpa + 8, NPT_RW);
	uint64_t stamp = stamp_of(gpa);

	memcpy(space_byte(s, gpa + 8), &stamp, sizeof(stamp));
	return faults;
}

static void expect_stamp(struct space *s, uint64_t gpa)
{
	uint64_t stamp = stamp_of(gpa);

	CHECK(memcmp(space_byte(s, gpa + 8), &stamp, sizeof(stamp)) == 0, "what was written at %#jx is lost", (uintmax_t)gpa);
}

static void auto_area(struct space *s, uint64_t size)
{
	CHECK_ERR(space_alloc(s, 0, size, NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
}

/* --- Sequences ----------------------------------------------------------------------------------------------------- */

#define SEQUENCE MIB(6)

static void expect_sequence(struct space *s, unsigned faults)
{
	space_check(s);
	CHECK(faults <= SEQUENCE / PAGE_SIZE / 4, "%u faults", faults);
	CHECK(space_stats(s).resident <= SEQUENCE + SEQUENCE / 20, "%#jx resident", (uintmax_t)space_stats(s).resident);
	CHECK(space_stats(s).resident_peak <= SEQUENCE + SEQUENCE / 20, "%#jx at most", (uintmax_t)space_stats(s).resident_peak);
	for (uint64_t at = 0; at < SEQUENCE; at += PAGE_SIZE)
		expect_stamp(s, MIB(2) + at);
	for (uint64_t at = 0; at < SEQUENCE; at += MIB(2))
		CHECK_EQ(space_level(s, MIB(2) + at), 1);
	CHECK(!space_allows(s, MIB(2) - 1, 0) && !space_allows(s, MIB(2) + SEQUENCE, 0), "beyond the sequence");
}

static void a_sequence_takes_few_faults(void **state)
{
	struct space *s = *state;
	unsigned faults = 0;

	auto_area(s, MIB(16));
	for (uint64_t at = 0; at < SEQUENCE; at += PAGE_SIZE)
		faults += put_stamp(s, MIB(2) + at);
	expect_sequence(s, faults);
}

static void a_sequence_downwards_too(void **state)
{
	struct space *s = *state;
	unsigned faults = 0;

	auto_area(s, MIB(16));
	for (uint64_t at = SEQUENCE; at > 0; at -= PAGE_SIZE)
		faults += put_stamp(s, MIB(2) + at - PAGE_SIZE);
	expect_sequence(s, faults);
}

/* What was read before, and so shows zeros, makes no difference in the end. */
static void a_sequence_over_zeros(void **state)
{
	struct space *s = *state;
	unsigned faults = 0;

	auto_area(s, MIB(16));
	for (uint64_t at = 0; at < SEQUENCE; at += MIB(2))
		space_load(s, MIB(2) + at);
	CHECK_EQ(space_stats(s).zero_leaves[1], 3);
	for (uint64_t at = 0; at < SEQUENCE; at += PAGE_SIZE)
		faults += put_stamp(s, MIB(2) + at);
	expect_sequence(s, faults);
	CHECK_EQ(space_stats(s).zero_leaves[0] + space_stats(s).zero_leaves[1], 0);
}

static uint64_t memory_of(struct space *s, uint64_t gpa)
{
	hpa_t hpa;

	CHECK_ERR(addr_space_translate(&s->as, GPA(gpa), &hpa), ERR_OK);
	return hpa.raw;
}

/* The second block of a sequence is where it stays: its memory was held back for it. What is left over comes back. */
static void a_sequence_fills_what_is_held_for_it(void **state)
{
	struct space *s = *state;
	uint64_t at, first;

	auto_area(s, MIB(16));
	for (at = MIB(2); at < MIB(4) + KIB(64); at += PAGE_SIZE)
		put_stamp(s, at);
	first = memory_of(s, MIB(4));
	CHECK_EQ(space_level(s, MIB(4)), 0);
	CHECK_EQ(reservation_held(&s->as.view), MIB(2) - KIB(64));
	for (; at < MIB(4) + KIB(128); at += PAGE_SIZE)
		put_stamp(s, at);
	CHECK_EQ(space_level(s, MIB(4)), 1);
	CHECK_EQ(memory_of(s, MIB(4)), first);
	CHECK_EQ(reservation_held(&s->as.view), 0);
	CHECK_EQ(space_stats(s).resident, MIB(4));
	space_check(s);
	for (at = MIB(2); at < MIB(4) + KIB(128); at += PAGE_SIZE)
		expect_stamp(s, at);
	/* The next block is begun, and the sequence goes on elsewhere. */
	put_stamp(s, MIB(6));
	CHECK(reservation_held(&s->as.view) > 0, "nothing is held");
	CHECK_ERR(addr_space_discard(&s->as, GPA(MIB(2)), PAGE_SIZE), ERR_OK);
	CHECK_EQ(reservation_held(&s->as.view), 0);
	space_check(s);
}

/* Downwards, the pages in place come behind those that are not there yet. */
static void a_sequence_downwards_fills_it_too(void **state)
{
	struct space *s = *state;
	uint64_t at, last;

	auto_area(s, MIB(16));
	for (at = MIB(6); at > MIB(4) - KIB(64); at -= PAGE_SIZE)
		put_stamp(s, at - PAGE_SIZE);
	last = memory_of(s, MIB(4) - PAGE_SIZE);
	CHECK_EQ(space_level(s, MIB(4) - PAGE_SIZE), 0);
	for (; at > MIB(4) - KIB(128); at -= PAGE_SIZE)
		put_stamp(s, at - PAGE_SIZE);
	CHECK_EQ(space_level(s, MIB(4) - PAGE_SIZE), 1);
	CHECK_EQ(memory_of(s, MIB(4) - PAGE_SIZE), last);
	space_check(s);
	for (at = MIB(4) - KIB(128); at < MIB(6); at += PAGE_SIZE)
		expect_stamp(s, at);
}

/* Memory that is handed out can be gone, and somebody else's, before the block is dense: then it is copied elsewhere. */
static void what_was_handed_out_is_not_had_twice(void **state)
{
	struct space *s = *state;
	uint64_t hole = MIB(2) + KIB(256), at, piece;
	hpa_t taken[256];
	unsigned count = 0;

	auto_area(s, MIB(16));
	for (at = MIB(2); at < MIB(3); at += PAGE_SIZE)
		put_stamp(s, at);
	CHECK(reservation_held(&s->as.view) > 0, "nothing is held");
	piece = memory_of(s, hole);
	/* Behind the reservation's back, as taking memory back for want of it does. */
	{
		struct removal removal;

		spin_lock(&s->as.view.lock);
		removal_init(&removal, &s->as);
		remove_leaves(&removal, hole, hole + KIB(128), true);
		removal_finish(&removal);
		spin_unlock(&s->as.view.lock);
	}
	for (; at < MIB(4); at += PAGE_SIZE)
		put_stamp(s, at);
	do { /* what is free again gets another owner */
		assert_true(count < ARRAY_LEN(taken));
		CHECK_ERR(frame_alloc(4, &taken[count]), ERR_OK);
	} while (taken[count++].raw != piece);
	s->overhead += count * KIB(64);
	for (at = hole; at < hole + KIB(128); at += PAGE_SIZE)
		put_stamp(s, at);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	space_check(s);
	for (at = MIB(2); at < MIB(4); at += PAGE_SIZE)
		expect_stamp(s, at);
	CHECK(memory_of(s, hole) != piece, "%#jx is had twice", (uintmax_t)piece);
	while (count > 0)
		frame_free(taken[--count], 4);
	s->overhead = 0;
}

/* Pages with no neighbour stay alone, in whatever order they come. */
static void lone_pages_stay_alone(void **state)
{
	struct space *s = *state;
	const unsigned strides[] = { 2, 3, 8, 37 };

	for (size_t i = 0; i < ARRAY_LEN(strides); i++)
		for (unsigned variant = 0; variant < 6; variant++) {
			const unsigned count = 1000 / strides[i], order = variant % 3, odd = variant / 3;

			auto_area(s, MIB(4));
			for (unsigned n = 0; n < count; n++) {
				unsigned page = order == 0 ? n : order == 1 ? count - 1 - n : n * 7919 % count;

				/* On odd pages, or on even ones: borders that are aligned above, or below. */
				put_stamp(s, (page * strides[i] + odd) * PAGE_SIZE);
			}
			space_check(s);
			CHECK(space_stats(s).resident == count * PAGE_SIZE, "stride %u, order %u: %ju pages for %u", strides[i],
			      order, (uintmax_t)(space_stats(s).resident / PAGE_SIZE), count);
			space_clear(s);
		}
}

/* As much as there is beside it, up to 64 KiB: of one page one, of two pages two, and so on. */
static void a_window_is_as_large_as_what_it_follows(void **state)
{
	struct space *s = *state;

	for (unsigned before = 1; before <= 64; before *= 2) {
		const unsigned after = before < 16 ? before : 16;

		for (unsigned up = 0; up < 2; up++) {
			CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
			for (unsigned page = 0; page < before; page++)
				put_stamp(s, up ? KIB(512) - (page + 1) * PAGE_SIZE : KIB(512) + page * PAGE_SIZE);
			CHECK_ERR(space_set_policy(s, 0, MIB(1), ALLOC_LAZY_AUTO), ERR_OK);
			CHECK_EQ(space_fault(s, up ? KIB(512) : KIB(512) - 1, NPT_W), FAULT_HANDLED);
			CHECK_EQ(space_stats(s).resident, (before + after) * PAGE_SIZE);
			CHECK_EQ(space_allows(s, KIB(512) + (up ? after : before) * PAGE_SIZE, 0), 0);
			CHECK(space_allows(s, up ? KIB(512) + (after - 1) * PAGE_SIZE : KIB(512) - after * PAGE_SIZE, NPT_W),
			      "the far end");
			space_clear(s);
		}
	}
}

static void windows_end_with_the_area(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, KIB(20), KIB(28), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	CHECK_ERR(space_alloc(s, KIB(48), KIB(200), NPT_R, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = KIB(20); at < KIB(48); at += PAGE_SIZE)
		put_stamp(s, at);
	space_check(s);
	CHECK_EQ(space_stats(s).resident, KIB(28));
	CHECK(!space_allows(s, KIB(48), 0), "beyond the area");
}

/* --- Promotion ----------------------------------------------------------------------------------------------------- */

/* Write pages [0, 512) of the block, even ones first, so that each comes alone; from page `stop` on no odd ones. */
static void fill_block(struct space *s, uint64_t block, unsigned stop, unsigned skip)
{
	for (unsigned page = 0; page < 512; page += 2)
		put_stamp(s, block + page * PAGE_SIZE);
	for (unsigned page = 1; page < stop; page += 2)
		if (page != skip)
			put_stamp(s, block + page * PAGE_SIZE);
}

static void expect_block(struct space *s, uint64_t block, unsigned stop, unsigned skip)
{
	for (unsigned page = 0; page < 512; page++) {
		uint64_t gpa = block + page * PAGE_SIZE;

		if (page % 2 == 0 || (page < stop && page != skip))
			expect_stamp(s, gpa);
		else if (space_allows(s, gpa, 0))
			for (unsigned i = 0; i < PAGE_SIZE; i += 8)
				CHECK_EQ(*space_byte(s, gpa + i), 0);
	}
}

static uint8_t published[SPACE_RAM_SIZE / PAGE_SIZE];

static void note_publish(void *bytes, uint64_t size)
{
	uint64_t first = ((uintptr_t)bytes - frame_phys_to_virt - SPACE_RAM_AT) / PAGE_SIZE;

	memset(published + first, 1, (size + PAGE_SIZE - 1) / PAGE_SIZE);
}

/* What is cleared or moved for a large leaf is published, in place and elsewhere. */
static void all_of_a_large_leaf_is_published(void **state)
{
	struct space *s = *state;

	s->as.publish = note_publish;
	auto_area(s, MIB(16));
	memset(published, 0, sizeof(published));
	for (uint64_t at = MIB(2); at < MIB(2) + SEQUENCE; at += PAGE_SIZE)
		put_stamp(s, at);
	fill_block(s, MIB(12), 512, 1);
	for (uint64_t block = MIB(2); block <= MIB(12); block += block < MIB(6) ? MIB(2) : MIB(6)) {
		CHECK_EQ(space_level(s, block), 1);
		for (uint64_t at = block; at < block + MIB(2); at += PAGE_SIZE)
			CHECK(published[(memory_of(s, at) - SPACE_RAM_AT) / PAGE_SIZE], "%#jx is not", (uintmax_t)at);
	}
	s->as.publish = NULL;
}

/* 256 pages and every second one up to page 463 make 488. */
static void a_dense_block_becomes_one_leaf(void **state)
{
	struct space *s = *state;

	for (unsigned zeros = 0; zeros < 2; zeros++) {
		auto_area(s, MIB(8));
		if (zeros)
			space_load(s, MIB(2));
		fill_block(s, MIB(2), 462, 512);
		space_check(s);
		CHECK_EQ(space_level(s, MIB(2)), 0);
		CHECK_EQ(space_stats(s).resident, 487 * PAGE_SIZE);
		CHECK_EQ(space_stats(s).promoted, zeros);
		put_stamp(s, MIB(2) + 463 * PAGE_SIZE);
		space_check(s);
		CHECK_EQ(space_level(s, MIB(2)), 1);
		CHECK_EQ(space_stats(s).resident, MIB(2));
		CHECK_EQ(space_stats(s).promoted, 1 + zeros);
		CHECK_EQ(space_stats(s).zero_leaves[0], 0);
		CHECK(space_allows(s, MIB(4) - 1, NPT_RW), "not writable");
		expect_block(s, MIB(2), 464, 512);
		space_clear(s);
	}
}

/* With one page less it is not. */
static void a_block_that_is_not_dense_stays_as_it_is(void **state)
{
	struct space *s = *state;

	auto_area(s, MIB(8));
	fill_block(s, MIB(2), 464, 1);
	space_check(s);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	CHECK_EQ(space_stats(s).resident, 487 * PAGE_SIZE);
	expect_block(s, MIB(2), 464, 1);
}

/* Where a page of the block was, for a CPU that still remembers. */
static uint64_t remembered;

static void write_by_memory(struct space *s)
{
	*(uint8_t *)arena_at(&s->ram.arena, remembered) = 77;
}

/* What is written while the block moves is not lost: nothing is copied before the last CPU has let go. */
static void a_write_at_the_last_moment_moves_along(void **state)
{
	struct space *s = *state;

	auto_area(s, MIB(8));
	fill_block(s, MIB(2), 462, 512);
	space_check(s);
	remembered = view_walk(&s->view, MIB(2) + 100 * PAGE_SIZE + 3000, NPT_RW).hpa;
	s->meanwhile = write_by_memory;
	put_stamp(s, MIB(2) + 463 * PAGE_SIZE);
	space_check(s);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK(!s->meanwhile, "nothing was flushed");
	CHECK_EQ(*space_byte(s, MIB(2) + 100 * PAGE_SIZE + 3000), 77);
	expect_block(s, MIB(2), 464, 512);
}

/* Odd pages first, those at the ends of 64 KiB among them: the last hole is reason enough to look. */
static void the_last_hole_makes_it_whole(void **state)
{
	struct space *s = *state;

	auto_area(s, MIB(4));
	for (unsigned page = 1; page < 512; page += 2)
		put_stamp(s, page * PAGE_SIZE);
	for (unsigned page = 0; page < 510; page += 2)
		put_stamp(s, page * PAGE_SIZE);
	space_check(s);
	CHECK_EQ(space_stats(s).resident, 511 * PAGE_SIZE);
	CHECK_EQ(space_level(s, 0), 0);
	put_stamp(s, 510 * PAGE_SIZE);
	space_check(s);
	CHECK_EQ(space_level(s, 0), 1);
	expect_block(s, 0, 512, 512);
	/* A page that comes back to where it was, since no other frame is free, needs no copy of the others. */
	CHECK_ERR(space_protect(s, 100 * PAGE_SIZE, PAGE_SIZE, NPT_R), ERR_OK);
	space_leave(s, 0);
	CHECK_ERR(space_discard(s, 100 * PAGE_SIZE, PAGE_SIZE), ERR_OK);
	CHECK_ERR(space_protect(s, 100 * PAGE_SIZE, PAGE_SIZE, NPT_RW), ERR_OK);
	put_stamp(s, 100 * PAGE_SIZE);
	space_check(s);
	CHECK_EQ(space_level(s, 0), 1);
	CHECK_EQ(space_stats(s).promoted, 1);
	CHECK_EQ(space_stats(s).merged, 1);
	expect_block(s, 0, 512, 512);
}

static void small_policies_promote_nothing(void **state)
{
	struct space *s = *state;

	for (unsigned policy = ALLOC_LAZY_4K; policy <= ALLOC_LAZY_64K; policy++)
		for (unsigned zeros = 0; zeros < 2; zeros++) {
			CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, policy), ERR_OK);
			for (unsigned page = 0; zeros && page < 512; page++)
				space_touch(s, page * PAGE_SIZE, NPT_R);
			fill_block(s, 0, 512, 512);
			space_check(s);
			CHECK_EQ(space_level(s, 0), 0);
			CHECK_EQ(space_stats(s).promoted + space_stats(s).merged, 0);
			expect_block(s, 0, 512, 512);
			space_clear(s);
		}
}

static void without_a_block_nothing_is_promoted(void **state)
{
	struct space *s = *state;

	auto_area(s, MIB(8));
	ram_scatter(&s->ram, 8, 3);
	fill_block(s, MIB(2), 512, 512);
	space_check(s);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	CHECK_EQ(space_stats(s).resident, MIB(2));
	expect_block(s, MIB(2), 512, 512);
}

/* Beside a large leaf 128 KiB are enough, since a sequence goes on there. */
static void a_large_neighbour_is_reason_enough(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(2), MIB(8), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	put_stamp(s, MIB(4));
	CHECK_ERR(space_set_policy(s, MIB(2), MIB(8), ALLOC_LAZY_AUTO), ERR_OK);
	/* Not in the middle of a block, */
	put_stamp(s, MIB(7));
	CHECK_EQ(space_stats(s).resident, MIB(2) + PAGE_SIZE);
	/* not beside small leaves, */
	put_stamp(s, MIB(8));
	CHECK_EQ(space_stats(s).resident, MIB(2) + 2 * PAGE_SIZE);
	/* but right after a large one, */
	put_stamp(s, MIB(6));
	CHECK_EQ(space_level(s, MIB(6)), 0);
	CHECK_EQ(space_stats(s).resident, MIB(2) + KIB(64) + 2 * PAGE_SIZE);
	put_stamp(s, MIB(6) + KIB(64));
	CHECK_EQ(space_level(s, MIB(6)), 1);
	CHECK_EQ(space_stats(s).promoted, 1);
	CHECK_EQ(space_stats(s).resident, MIB(4) + PAGE_SIZE);
	/* and right before. */
	put_stamp(s, MIB(4) - PAGE_SIZE);
	put_stamp(s, MIB(4) - KIB(64) - PAGE_SIZE);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(s).resident, MIB(6) + PAGE_SIZE);
	space_check(s);
	expect_stamp(s, MIB(4));
	expect_stamp(s, MIB(6));
	expect_stamp(s, MIB(7));
	expect_stamp(s, MIB(8));
	expect_stamp(s, MIB(4) - PAGE_SIZE);
}

/* As much memory elsewhere in the block is none: the pages beside the large leaf must have it. */
static void pages_elsewhere_are_no_sequence(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, MIB(2), MIB(8), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	put_stamp(s, MIB(4));
	CHECK_ERR(space_set_policy(s, MIB(2), MIB(8), ALLOC_LAZY_AUTO), ERR_OK);
	for (unsigned i = 0; i < 40; i++) {
		put_stamp(s, MIB(6) + KIB(512) + i * KIB(12));
		put_stamp(s, MIB(3) + i * KIB(12));
	}
	put_stamp(s, MIB(6));
	put_stamp(s, MIB(4) - PAGE_SIZE);
	CHECK_EQ(space_stats(s).resident, MIB(2) + 2 * KIB(64 + 160));
	CHECK_EQ(space_stats(s).promoted, 0);
	put_stamp(s, MIB(6) + KIB(64));
	put_stamp(s, MIB(4) - KIB(64) - PAGE_SIZE);
	CHECK_EQ(space_stats(s).promoted, 2);
	space_check(s);
	for (unsigned i = 0; i < 40; i++) {
		expect_stamp(s, MIB(6) + KIB(512) + i * KIB(12));
		expect_stamp(s, MIB(3) + i * KIB(12));
	}
}

/* A large leaf of somebody else's area, or one of zeros, says nothing. */
static void only_memory_of_the_area_is_a_neighbour(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(6), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	space_load(s, MIB(6));
	CHECK_EQ(space_level(s, MIB(6)), 1);
	for (unsigned page = 0; page < 64; page++) {
		put_stamp(s, MIB(2) + page * PAGE_SIZE);
		put_stamp(s, MIB(6) - (page + 1) * PAGE_SIZE);
	}
	space_check(s);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	CHECK_EQ(space_level(s, MIB(6) - PAGE_SIZE), 0);
	CHECK_EQ(space_stats(s).resident, MIB(2) + KIB(512));
	CHECK_EQ(space_stats(s).promoted, 0);
}

/* --- In place ------------------------------------------------------------------------------------------------------ */

static unsigned areas_of(struct space *s)
{
	unsigned count = 0;

	for (struct area *area = area_find_from(&s->as.areas, 0); area; area = area_next(area))
		count++;
	return count;
}

static void protect_splits_and_merges_back(void **state)
{
	struct space *s = *state;
	uint64_t taken;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_POPULATE), ERR_OK);
	put_stamp(s, KIB(40));
	put_stamp(s, MIB(1));
	taken = ram_free_bytes();
	CHECK_ERR(space_protect(s, KIB(40), KIB(8), NPT_R), ERR_OK);
	CHECK_EQ(space_level(s, 0), 0);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_stats(s).split, 1);
	CHECK_EQ(areas_of(s), 3);
	CHECK_ERR(space_protect(s, KIB(44), KIB(4), NPT_RW), ERR_OK);
	CHECK_EQ(space_level(s, 0), 0);
	CHECK_EQ(areas_of(s), 3);
	CHECK_ERR(space_protect(s, KIB(40), KIB(4), NPT_RW), ERR_OK);
	CHECK_EQ(space_level(s, 0), 1);
	CHECK_EQ(space_stats(s).merged, 1);
	CHECK_EQ(areas_of(s), 1);
	CHECK_EQ(ram_free_bytes(), taken);
	CHECK(space_allows(s, 0, NPT_RW) && space_allows(s, KIB(44), NPT_RW), "not writable");
	expect_stamp(s, KIB(40));
	expect_stamp(s, MIB(1));
	/* The whole of both blocks: nothing is split, and nothing merges that was not apart. */
	CHECK_ERR(space_protect(s, 0, MIB(4), NPT_R), ERR_OK);
	CHECK_ERR(space_protect(s, 0, MIB(2), NPT_RW), ERR_OK);
	CHECK_EQ(areas_of(s), 2);
	CHECK_EQ(space_stats(s).merged, 1);
	CHECK_EQ(space_stats(s).split, 1);
}

static void a_gibibyte_splits_and_merges_back(void **state)
{
	struct space *s = *state;
	unsigned large = s->format->config.max_leaf;
	uint64_t tables;

	CHECK_ERR(space_linear(s, GIB(1), GIB(4), GIB(2), NPT_RW), ERR_OK);
	tables = s->as.npt.table_bytes;
	CHECK_ERR(space_protect(s, GIB(1) + MIB(6) + KIB(4), KIB(4), NPT_R), ERR_OK);
	CHECK_EQ(space_level(s, GIB(1) + MIB(6)), 0);
	CHECK_EQ(space_level(s, GIB(1)), 1);
	CHECK_EQ(space_stats(s).split, large);
	CHECK_ERR(space_protect(s, GIB(1) + MIB(6) + KIB(4), KIB(4), NPT_RW), ERR_OK);
	CHECK_EQ(space_level(s, GIB(1) + MIB(6)), large);
	CHECK_EQ(space_stats(s).merged, large);
	CHECK_EQ(s->as.npt.table_bytes, tables);
	CHECK_EQ(view_walk(&s->view, GIB(1) + MIB(6) + KIB(4), NPT_RW).hpa, GIB(4) + MIB(6) + KIB(4));
}

/* Neighbours for the guest that lie elsewhere for the host are no block. */
static void what_is_not_contiguous_stays_apart(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(2), MIB(64), MIB(1), NPT_RW), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(3), MIB(66), MIB(1), NPT_RW), ERR_OK);
	space_begin(s);
	CHECK_ERR(addr_space_discard(&s->as, GPA(KIB(64)), KIB(8)), ERR_OK);
	space_check(s);
	put_stamp(s, KIB(68)); /* the two frames come back the other way round */
	put_stamp(s, KIB(64));
	CHECK_ERR(space_protect(s, 0, MIB(4), NPT_R), ERR_OK);
	CHECK_ERR(space_protect(s, 0, MIB(4), NPT_RW), ERR_OK);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	CHECK_EQ(view_walk(&s->view, MIB(3), 0).hpa, MIB(66));
	expect_stamp(s, KIB(64));
	expect_stamp(s, KIB(68));
	/* Nor do areas join over a hole. */
	CHECK_ERR(space_alloc(s, MIB(8), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(8) + KIB(8), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_protect(s, MIB(8), KIB(4), NPT_RW), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(8) + KIB(4), NPT_R), FAULT_UNMAPPED);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "a_sequence_takes_few_faults", a_sequence_takes_few_faults },
		{ "a_sequence_downwards_too", a_sequence_downwards_too },
		{ "a_sequence_over_zeros", a_sequence_over_zeros },
		{ "a_sequence_fills_what_is_held_for_it", a_sequence_fills_what_is_held_for_it },
		{ "a_sequence_downwards_fills_it_too", a_sequence_downwards_fills_it_too },
		{ "what_was_handed_out_is_not_had_twice", what_was_handed_out_is_not_had_twice },
		{ "lone_pages_stay_alone", lone_pages_stay_alone },
		{ "a_window_is_as_large_as_what_it_follows", a_window_is_as_large_as_what_it_follows },
		{ "windows_end_with_the_area", windows_end_with_the_area },
		{ "all_of_a_large_leaf_is_published", all_of_a_large_leaf_is_published },
		{ "a_dense_block_becomes_one_leaf", a_dense_block_becomes_one_leaf },
		{ "a_block_that_is_not_dense_stays_as_it_is", a_block_that_is_not_dense_stays_as_it_is },
		{ "a_write_at_the_last_moment_moves_along", a_write_at_the_last_moment_moves_along },
		{ "the_last_hole_makes_it_whole", the_last_hole_makes_it_whole },
		{ "small_policies_promote_nothing", small_policies_promote_nothing },
		{ "without_a_block_nothing_is_promoted", without_a_block_nothing_is_promoted },
		{ "a_large_neighbour_is_reason_enough", a_large_neighbour_is_reason_enough },
		{ "pages_elsewhere_are_no_sequence", pages_elsewhere_are_no_sequence },
		{ "only_memory_of_the_area_is_a_neighbour", only_memory_of_the_area_is_a_neighbour },
		{ "protect_splits_and_merges_back", protect_splits_and_merges_back },
		{ "a_gibibyte_splits_and_merges_back", a_gibibyte_splits_and_merges_back },
		{ "what_is_not_contiguous_stays_apart", what_is_not_contiguous_stays_apart },
	};

	return space_suite("auto", tests, ARRAY_LEN(tests));
}
