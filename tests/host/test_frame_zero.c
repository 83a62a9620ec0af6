/* SPDX-License-Identifier: BSD-2-Clause */
/* The shared zero pages, and frame numbers at the end of what a record can hold. */
#include "tests/host/ram.h"

#include <string.h>

static uint64_t zero_block(unsigned order)
{
	hpa_t block;

	CHECK_ERR(frame_zero_page(order, &block), ERR_OK);
	CHECK(is_aligned(block.raw, PAGE_SIZE << order), "%#jx of order %u", (uintmax_t)block.raw, order);
	return block.raw;
}

/* How far memory is of one kind: rows that run into the zeros, begin in them, or pass them by. */
static void the_border_of_zeros(void **state)
{
	static struct ram ram;
	const unsigned orders[] = { 0, 9 };

	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		ram_open(&ram, GIB(1), MIB(16), true);
		CHECK_EQ(frame_zero_page_border(HPA(GIB(1)), MIB(16)), MIB(16)); /* there are none yet */
		CHECK(!frame_is_zero_page(HPA(0)) && !frame_is_zero_page(HPA(GIB(1))), "none, and yet there");
		for (unsigned i = 0; i < 2; i++) {
			const unsigned order = orders[i ^ first];
			const uint64_t size = PAGE_SIZE << order, start = zero_block(order), end = start + size;

			CHECK(!frame_is_zero_page(HPA(start - PAGE_SIZE)) && frame_is_zero_page(HPA(start)), "where they begin");
			CHECK(frame_is_zero_page(HPA(end - PAGE_SIZE)) && !frame_is_zero_page(HPA(end)), "where they end");
			CHECK_EQ(frame_zero_page_border(HPA(start - PAGE_SIZE), MIB(4)), PAGE_SIZE);
			CHECK_EQ(frame_zero_page_border(HPA(start - KIB(16)), MIB(4)), KIB(16));
			CHECK_EQ(frame_zero_page_border(HPA(start - KIB(16)), KIB(8)), KIB(8));
			CHECK_EQ(frame_zero_page_border(HPA(start), MIB(4)), size);
			CHECK_EQ(frame_zero_page_border(HPA(end - PAGE_SIZE), MIB(4)), PAGE_SIZE);
			CHECK_EQ(frame_zero_page_border(HPA(start), PAGE_SIZE), PAGE_SIZE);
			CHECK_EQ(frame_zero_page_border(HPA(end), KIB(4)), KIB(4));
			CHECK_EQ(zero_block(order), start); /* the same for ever */
			CHECK_EQ(frame_get_stats().zero, i == 0 ? size : PAGE_SIZE + MIB(2));
		}
		ram_close(&ram);
	}
}

static uint64_t faster;

static void take_it_first(void)
{
	faster = zero_block(0);
}

/* Two CPUs want the first one: they get the same, and the other is free again. */
static void the_first_zeros_are_taken_once(void **state)
{
	static struct ram ram;
	uint64_t free;

	(void)state;
	ram_open(&ram, GIB(1), MIB(16), true);
	free = ram_free_bytes();
	host_zeroing = take_it_first;
	CHECK_EQ(zero_block(0), faster);
	CHECK_EQ(frame_get_stats().zero, PAGE_SIZE);
	CHECK_EQ(free - ram_free_bytes(), PAGE_SIZE);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		CHECK_EQ(*((uint8_t *)frame_ptr(HPA(faster)) + i), 0);
	ram_close(&ram);
}

/* Frame numbers have 32 bits, and the last one is none: what a span reaches is refused, or works to the last frame. */
static void spans_end_below_sixteen_tebibytes(void **state)
{
	static struct ram ram;
	const uint64_t size = MIB(1), start = TIB(16) - size - PAGE_SIZE;
	const struct ram_range beyond[] = {
		{ HPA(start + PAGE_SIZE), size },
		{ HPA(TIB(16)), size },
		{ HPA(TIB(32) - size), size },
		{ HPA(start), size + PAGE_SIZE },
	};
	struct frame_chain chain = { 0 };
	uint64_t last = 0;
	hpa_t frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(beyond); i++) {
		struct arena arena;

		arena_open(&arena, beyond[i].start.raw, beyond[i].size);
		CHECK_ERR(frame_init(&beyond[i], 1, beyond[i].start, arena.phys_to_virt), ERR_RANGE);
		arena_close(&arena);
	}
	ram_open(&ram, start, size, true);
	while (frame_alloc(0, &frame) == ERR_OK) {
		last = frame.raw > last ? frame.raw : last;
		frame_chain_add(&chain, frame, 1, 0);
	}
	CHECK_EQ(last, TIB(16) - 2 * PAGE_SIZE);
	frame_chain_free(&chain);
	ram_close(&ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_border_of_zeros),
		cmocka_unit_test(the_first_zeros_are_taken_once),
		cmocka_unit_test(spans_end_below_sixteen_tebibytes),
	};

	return cmocka_run_group_tests_name("frame_zero", tests, NULL, NULL);
}
