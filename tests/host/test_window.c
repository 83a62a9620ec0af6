/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault-around where a window is not empty: what is there keeps its contents, whatever comes around it. */
#include "tests/host/space.h"

#include <string.h>

#define PAGES 16 /* of a window of 64 KiB */

static void write_pages(struct space *s, uint64_t gpa, unsigned first, unsigned count)
{
	for (unsigned page = first; page < first + count; page++)
		space_store(s, gpa + page * PAGE_SIZE + 40, (uint8_t)(page + 1));
}

/* The pages of the window in `memory` hold what write_pages wrote; the others, if they can be read, zeros. */
static void expect_pages(struct space *s, uint64_t gpa, uint32_t memory)
{
	space_check(s);
	for (unsigned page = 0; page < PAGES; page++) {
		uint64_t at = gpa + page * PAGE_SIZE;

		if (memory >> page & 1)
			CHECK_EQ(*space_byte(s, at + 40), page + 1);
		else if (space_allows(s, at, NPT_R))
			CHECK_EQ(*space_byte(s, at + 40), 0);
	}
}

/* Whichever page of it is asked for, and wherever the hole is: at its start, in the middle, at its end. */
static void a_hole_in_a_window_is_filled_alone(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	for (unsigned first = 0; first < PAGES; first++)
		for (unsigned count = 1; first + count <= PAGES && count < PAGES; count += 3) {
			uint32_t hole = (uint32_t)BITS(first + count - 1, first);
			uint64_t gpa = KIB(64) * (first % 4);

			write_pages(s, gpa, 0, PAGES);
			CHECK_ERR(space_discard(s, gpa + first * PAGE_SIZE, count * PAGE_SIZE), ERR_OK);
			CHECK_EQ(space_fault(s, gpa + (first + count - 1) * PAGE_SIZE, NPT_W), FAULT_HANDLED);
			expect_pages(s, gpa, (uint32_t)BITS(PAGES - 1, 0) & ~hole);
			for (unsigned page = 0; page < PAGES; page++)
				CHECK(space_allows(s, gpa + page * PAGE_SIZE, NPT_RW), "page %u of %#x", page, hole);
			CHECK_ERR(space_discard(s, gpa, KIB(64)), ERR_OK);
		}
}

/* One window of memory, then zeros, then a hole; and in every other order. */
static void memory_and_zeros_in_one_window(void **state)
{
	struct space *s = *state;
	/* By eighths of the window: memory, zeros, or nothing. */
	const char *const layouts[] = {
		"mmmmzz-z", "zzmm-zmm", "m-zzzzzz", "-mz-mzmz", "zm-mzz-m",
		"zzzzzz-m", "zzzzzzz-", "-zzzzzzz", "zz-z-zzz", "-zz-----",
	};

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		const char *const layout = layouts[i];
		const unsigned hole = 2 * (unsigned)(strchr(layout, '-') - layout) + 1;
		uint32_t memory = 0;

		write_pages(s, KIB(64), 0, PAGES);
		for (unsigned page = 0; page < PAGES; page++)
			if (layout[page / 2] == 'm')
				memory |= 1u << page;
			else
				CHECK_ERR(space_discard(s, KIB(64) + page * PAGE_SIZE, PAGE_SIZE), ERR_OK);
		for (unsigned page = 0; page < PAGES; page++) /* zeros for all that is not there */
			space_touch(s, KIB(64) + page * PAGE_SIZE, NPT_R);
		for (unsigned page = 0; page < PAGES; page++)
			if (layout[page / 2] == '-')
				CHECK_ERR(space_discard(s, KIB(64) + page * PAGE_SIZE, PAGE_SIZE), ERR_OK);
		CHECK_EQ(space_fault(s, KIB(64) + hole * PAGE_SIZE, NPT_W), FAULT_HANDLED);
		expect_pages(s, KIB(64), memory);
		CHECK(space_allows(s, KIB(64) + hole * PAGE_SIZE, NPT_RW), "%s: not the page that was asked for", layout);
		CHECK_EQ(space_stats(s).zero_leaves[0], 0);
		CHECK_EQ(space_stats(s).resident, KIB(64));
		CHECK_ERR(space_discard(s, 0, MIB(1)), ERR_OK);
	}
}

/* The same for a write to zeros, which takes the other zeros of the window along. */
static void a_write_to_zeros_beside_memory(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	for (unsigned first = 0; first < PAGES; first += 5) {
		uint32_t hole = (uint32_t)BITS(first, 0) << (first ? 0 : 7);

		write_pages(s, 0, 0, PAGES);
		for (unsigned page = 0; page < PAGES; page++)
			if (hole >> page & 1)
				CHECK_ERR(space_discard(s, page * PAGE_SIZE, PAGE_SIZE), ERR_OK);
		for (unsigned page = 0; page < PAGES; page++)
			space_touch(s, page * PAGE_SIZE, NPT_R);
		CHECK_EQ(space_fault(s, (first ? first : 7) * PAGE_SIZE, NPT_W), FAULT_HANDLED);
		expect_pages(s, 0, (uint32_t)BITS(PAGES - 1, 0) & ~hole);
		CHECK_EQ(space_stats(s).resident, KIB(64));
		CHECK_ERR(space_discard(s, 0, MIB(1)), ERR_OK);
	}
}

/* Each is one fault, and the page that it was about is in use: when frames run out, it is not the first to be taken back. */
static void whole_windows_are_remembered(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(8), MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_store(s, MIB(8), 1);
	for (unsigned window = 0; window < 4; window++)
		CHECK_EQ(space_fault(s, window * KIB(64) + KIB(20), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).handled_fresh, 5);
	CHECK_EQ(space_stats(s).faults[FAULT_HANDLED], 5);
	space_leave(s, 0);
	CHECK_EQ(space_fault(s, MIB(8) + PAGE_SIZE, NPT_W), FAULT_HANDLED);
	CHECK(space_stats(s).reclaimed > 0, "nothing was taken back");
	for (unsigned window = 0; window < 4; window++)
		CHECK(space_allows(s, window * KIB(64) + KIB(20), NPT_RW), "what was given is gone before its use");
}

/* An area that begins or ends inside a window has nothing to say about the pages of its neighbours. */
static void windows_leave_other_areas_alone(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, KIB(24), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, KIB(24), KIB(24), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	CHECK_ERR(space_alloc(s, KIB(48), KIB(80), NPT_R, ALLOC_LAZY_64K), ERR_OK);
	space_store(s, KIB(4) + 40, 2);
	CHECK_EQ(space_fault(s, KIB(28), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).resident, KIB(4) + KIB(24));
	CHECK(!space_allows(s, KIB(20), 0) && !space_allows(s, KIB(48), 0), "beyond the area");
	CHECK_EQ(space_fault(s, KIB(60), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).zero_leaves[0], 4);
	CHECK_EQ(*space_byte(s, KIB(4) + 40), 2);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "a_hole_in_a_window_is_filled_alone", a_hole_in_a_window_is_filled_alone },
		{ "memory_and_zeros_in_one_window", memory_and_zeros_in_one_window },
		{ "a_write_to_zeros_beside_memory", a_write_to_zeros_beside_memory },
		{ "whole_windows_are_remembered", whole_windows_are_remembered },
		{ "windows_leave_other_areas_alone", windows_leave_other_areas_alone },
	};

	return space_suite("window", tests, ARRAY_LEN(tests));
}
