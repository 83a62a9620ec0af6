/* SPDX-License-Identifier: BSD-2-Clause */
/* References to frames and their owners: what is shared, dropped and taken over, whole or in parts, against a count for each page.
 */
#include "tests/host/ram.h"

#include <stdlib.h>

#define BASE 0x40000000

/* Give up a reference, with no flush to wait for. Returns the bytes that were the owner's. */
static uint64_t drop(uint64_t frame, unsigned order, uint16_t owner)
{
	struct frame_chain chain = { 0 };
	uint64_t bytes = frame_chain_add(&chain, HPA(frame), UINT64_C(1) << order, owner);

	frame_chain_free(&chain);
	return bytes;
}

static void the_last_reference_frees(void **state)
{
	static struct ram ram;

	(void)state;
	for (unsigned order = 0; order <= 9; order += 3) {
		uint64_t block;

		ram_open(&ram, BASE, MIB(16), false);
		block = ram_alloc(order);
		CHECK(!frame_is_shared(HPA(block), order), "one reference");
		frame_share(HPA(block), order);
		frame_share(HPA(block), order);
		for (unsigned left = 2; left > 0; left--) {
			uint64_t free = ram_free_bytes();

			CHECK(frame_is_shared(HPA(block), order), "%u references", left + 1);
			drop(block, order, 1);
			CHECK_EQ(ram_free_bytes(), free);
		}
		CHECK(!frame_is_shared(HPA(block), order), "one reference again");
		drop(block, order, 1);
		ram_close(&ram);
	}
}

static void owners_are_counted_in_bytes(void **state)
{
	static struct ram ram;
	hpa_t frame;
	uint64_t block;

	(void)state;
	ram_open(&ram, BASE, MIB(16), false);
	block = ram_alloc(9);
	CHECK_EQ(frame_take_over(HPA(block), 9, 7), MIB(2)); /* nobody's before */
	CHECK_EQ(frame_take_over(HPA(block), 9, 7), 0);
	CHECK_EQ(frame_take_over(HPA(block), 9, 8), MIB(2));
	(void)frame_take_over(HPA(block), 9, 7);
	CHECK_EQ(frame_take_over(HPA(block), 9, 7), 0);
	/* Only what is the owner's counts, and is then nobody's. */
	frame_share(HPA(block), 9);
	frame_share(HPA(block), 9);
	CHECK_EQ(drop(block, 9, 8), 0);
	CHECK_EQ(drop(block, 9, 7), MIB(2));
	CHECK_EQ(frame_take_over(HPA(block), 9, 8), MIB(2));
	CHECK_EQ(drop(block, 9, 8), MIB(2));
	CHECK_ERR(frame_alloc_for(3, 5, &frame), ERR_OK);
	CHECK_EQ(frame_take_over(frame, 3, 5), 0);
	CHECK_EQ(drop(frame.raw, 3, 5), KIB(32));
	/* What was somebody's is nobody's when it comes back. */
	block = ram_alloc(3);
	CHECK_EQ(frame_take_over(HPA(block), 3, 5), KIB(32));
	frame_free(HPA(block), 3);
	ram_close(&ram);
}

/* A large leaf that was split, of which each page goes its own way. */
static void parts_count_each_on_its_own(void **state)
{
	static struct ram ram;
	uint64_t block, page, run;

	(void)state;
	ram_open(&ram, BASE, MIB(16), false);
	block = ram_alloc(9);
	page = block + 300 * PAGE_SIZE;
	run = block + 64 * PAGE_SIZE;
	(void)frame_take_over(HPA(block), 9, 3);
	frame_share(HPA(block), 9); /* the parts inherit this */
	frame_share(HPA(page), 0);
	CHECK_EQ(frame_take_over(HPA(run), 4, 4), KIB(64));
	CHECK(frame_is_shared(HPA(block), 9) && frame_is_shared(HPA(page), 0) && frame_is_shared(HPA(run), 4), "shared");
	CHECK_EQ(drop(block, 9, 3), MIB(2) - KIB(64)); /* one reference of every part */
	CHECK(frame_is_shared(HPA(page), 0), "that page had three");
	CHECK(frame_is_shared(HPA(block), 9), "a part of it still is");
	CHECK(!frame_is_shared(HPA(run), 4) && !frame_is_shared(HPA(page ^ PAGE_SIZE), 0), "these had two");
	CHECK_EQ(frame_take_over(HPA(block), 9, 4), MIB(2) - KIB(64));
	CHECK_EQ(drop(page, 0, 4), PAGE_SIZE);
	CHECK(!frame_is_shared(HPA(block), 9), "none is shared now");
	CHECK_EQ(drop(block, 9, 4), MIB(2) - PAGE_SIZE);
	ram_check_whole(block, 9);
	ram_close(&ram);
}

/* What becomes of a page is what frame_chain_add makes of its neighbour, which is in the same state. */
static void check_dropped_alike(uint64_t pair, uint16_t owner)
{
	struct frame_chain chain = { 0 };
	uint64_t free = ram_free_bytes(), freed;
	int64_t orphans = 1;

	CHECK_EQ(frame_drop_page(HPA(pair), owner, &orphans), frame_chain_add(&chain, HPA(pair + PAGE_SIZE), 1, owner));
	CHECK_EQ(orphans, chain.orphans);
	freed = ram_free_bytes() - free;
	frame_chain_free(&chain);
	CHECK_EQ(ram_free_bytes() - free, 2 * freed);
}

/* Pairs of pages in blocks that are not divided yet: shared or not, owned by whoever drops, by another, or by nobody. */
static void a_page_is_dropped_at_once(void **state)
{
	static struct ram ram;
	uint64_t block, pair;

	(void)state;
	ram_open(&ram, BASE, MIB(4), false);
	for (unsigned shares = 0; shares < 3; shares++) {
		block = ram_alloc(4);
		for (unsigned i = 0; i < shares; i++)
			frame_share(HPA(block), 4);
		for (uint16_t owner = 0; owner < 4; owner++) {
			pair = block + owner * 4 * PAGE_SIZE;
			(void)frame_take_over(HPA(pair), 2, owner);
			for (unsigned left = 0; left <= shares; left++) {
				check_dropped_alike(pair, 2);
				check_dropped_alike(pair + 2 * PAGE_SIZE, owner);
			}
		}
		ram_check_whole(block, 4);
	}
	ram_close(&ram);
}

/* A frame for a copy is had for what is shared only, and as long as there is one. */
static void what_is_shared_gets_a_frame_for_its_copy(void **state)
{
	static struct ram ram;
	uint64_t block, free;
	struct frame_copy copy = { .frame = HPA(1), .of_file = true };
	hpa_t rest[16];
	unsigned count = 0;

	(void)state;
	ram_open(&ram, BASE, KIB(128), false);
	block = ram_alloc(4);
	frame_share(HPA(block + 3 * PAGE_SIZE), 0);
	free = ram_free_bytes();
	for (unsigned i = 0; i < 16; i++) {
		CHECK_ERR(frame_alloc_copy(HPA(block + i * PAGE_SIZE), 7, &copy), ERR_OK);
		CHECK_EQ(copy.frame.raw != 0, i == 3);
		CHECK(!copy.of_file, "%s", "a file's page");
		CHECK_EQ(ram_free_bytes(), i == 3 ? free - PAGE_SIZE : free);
		if (copy.frame.raw == 0)
			continue;
		CHECK_EQ(frame_not_owned(copy.frame, 0, 7), 0);
		frame_free(copy.frame, 0);
	}
	while (count < ARRAY_LEN(rest) && frame_alloc_for(0, 0, &rest[count]) == ERR_OK)
		count++;
	CHECK(count > 0 && count < ARRAY_LEN(rest), "%u", count);
	CHECK_ERR(frame_alloc_copy(HPA(block + 3 * PAGE_SIZE), 7, &copy), ERR_NO_MEMORY);
	CHECK_ERR(frame_alloc_copy(HPA(block + 2 * PAGE_SIZE), 7, &copy), ERR_OK);
	CHECK_EQ(copy.frame.raw, 0);
	while (count-- > 0)
		frame_free(rest[count], 0);
	drop(block + 3 * PAGE_SIZE, 0, 0);
	drop(block, 4, 0);
	ram_close(&ram);
}

/* What is not shared has its user as its owner from then on, once; and what is shared has the owner that it had. */
static void what_is_not_shared_is_kept(void **state)
{
	static struct ram ram;
	uint64_t block, gained;
	struct frame_copy copy;

	(void)state;
	ram_open(&ram, BASE, KIB(128), false);
	block = ram_alloc(2);
	(void)frame_take_over(HPA(block), 2, 5);
	frame_share(HPA(block + PAGE_SIZE), 0);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_ERR(frame_alloc_copy_or_keep(HPA(block + PAGE_SIZE), 7, &copy, &gained), ERR_OK);
		CHECK_EQ(frame_not_owned(copy.frame, 0, 7), 0);
		CHECK(!copy.dropped && frame_is_shared(HPA(block + PAGE_SIZE), 0), "%s", "CPUs may read it yet");
		frame_free(copy.frame, 0);
		CHECK_ERR(frame_alloc_copy_or_keep(HPA(block + 2 * PAGE_SIZE), 7, &copy, &gained), ERR_OK);
		CHECK_EQ(copy.frame.raw, 0);
		CHECK_EQ(gained, i == 0 ? PAGE_SIZE : 0);
	}
	CHECK_EQ(frame_not_owned(HPA(block), 2, 5), PAGE_SIZE);
	CHECK_EQ(frame_not_owned(HPA(block + 2 * PAGE_SIZE), 0, 7), 0);
	drop(block + PAGE_SIZE, 0, 5);
	drop(block + PAGE_SIZE, 0, 0);
	drop(block, 0, 5);
	drop(block + 2 * PAGE_SIZE, 0, 7);
	drop(block + 3 * PAGE_SIZE, 0, 5);
	ram_check_whole(block, 2);
	ram_close(&ram);
}

/* Pages in a row, over the borders of parts of several sizes: each counts for itself then, and what lies beside them is as it was.
 */
static void pages_are_shared_in_a_row(void **state)
{
	static struct ram ram;
	uint64_t block;

	(void)state;
	ram_open(&ram, BASE, MIB(16), false);
	block = ram_alloc(6);
	(void)frame_take_over(HPA(block), 6, 3);
	frame_share(HPA(block + 5 * PAGE_SIZE), 0); /* divides it */
	frame_share_pages(HPA(block + 3 * PAGE_SIZE), 50);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t page = block + i * PAGE_SIZE;

		CHECK(frame_is_shared(HPA(page), 0) == (i >= 3 && i < 53), "page %u", i);
		CHECK_EQ(drop(page, 0, 3), PAGE_SIZE);
		if (i < 3 || i >= 53)
			continue; /* it is free */
		CHECK(frame_is_shared(HPA(page), 0) == (i == 5), "page %u", i);
		CHECK_EQ(drop(page, 0, 4), 0);
	}
	CHECK_EQ(drop(block + 5 * PAGE_SIZE, 0, 4), 0);
	ram_check_whole(block, 6);
	ram_close(&ram);
}

/* Pages given out one by one, of which a merge has made one leaf. */
static void a_joint_block_has_its_parts(void **state)
{
	static struct ram ram;
	struct frame_chain chain = { 0 };
	uint64_t free, first = UINT64_MAX;
	hpa_t frame;

	(void)state;
	ram_open(&ram, BASE, MIB(4), false);
	while (frame_alloc_for(0, 9, &frame) == ERR_OK) /* all of it is allocated now, so any aligned run is a block */
		first = min_u64(first, frame.raw);
	first = align_up(first, PAGE_SIZE << 6);
	frame_share(HPA(first + 5 * PAGE_SIZE), 0);
	CHECK(frame_is_shared(HPA(first), 6), "one page of it is");
	CHECK(!frame_is_shared(HPA(first), 2), "none of these is");
	frame_share(HPA(first), 6);
	CHECK_EQ(frame_chain_add(&chain, HPA(first), 64, 9), KIB(256));
	CHECK(chain.first == 0, "a page with a reference left is in the chain");
	CHECK_EQ(frame_chain_add(&chain, HPA(first), 64, 9), 0); /* nobody's by now */
	free = ram_free_bytes();
	frame_chain_free(&chain);
	CHECK_EQ(ram_free_bytes(), free + KIB(256) - PAGE_SIZE); /* all but the one that was shared once more */
	drop(first + 5 * PAGE_SIZE, 0, 9);
	CHECK_EQ(ram_free_bytes(), free + KIB(256));
	for (uint64_t at = BASE; at < BASE + MIB(4); at += PAGE_SIZE) /* the records' own pages are the first ones */
		if (at >= BASE + (MIB(4) - ram.usable) && (at < first || at >= first + KIB(256)))
			frame_free(HPA(at), 0);
	ram_close(&ram);
}

/* Random shares, drops and take-overs of any part against a count and an owner for each page. */
#define SHARED_ORDER 6
#define SHARED_PAGES (1u << SHARED_ORDER)

static void random_references(void **state)
{
	static struct ram ram;
	struct host_rng rng = host_rng("references", 11);
	unsigned counts[SHARED_PAGES], owners[SHARED_PAGES] = { 0 };
	uint64_t block;

	(void)state;
	ram_open(&ram, BASE, MIB(4), false);
	block = ram_alloc(SHARED_ORDER);
	for (unsigned i = 0; i < SHARED_PAGES; i++)
		counts[i] = 1;
	for (unsigned step = 0; step < host_steps(4000); step++) {
		unsigned order = (unsigned)host_below(&rng, SHARED_ORDER + 1), pages = 1u << order;
		unsigned first = (unsigned)host_below(&rng, SHARED_PAGES) & ~(pages - 1), what = (unsigned)host_below(&rng, 4);
		uint16_t owner = (uint16_t)(1 + host_below(&rng, 3));
		hpa_t part = HPA(block + first * PAGE_SIZE);
		uint64_t mine = 0, free = ram_free_bytes();
		bool shared = false, last = false;

		for (unsigned i = first; i < first + pages; i++) {
			mine += owners[i] == owner ? PAGE_SIZE : 0;
			shared |= counts[i] > 1;
			last |= counts[i] == 1;
		}
		CHECK(frame_is_shared(part, order) == shared, "page %u, order %u", first, order);
		if (what == 0)
			frame_share(part, order);
		else if (what == 1 && !last)
			CHECK_EQ(drop(part.raw, order, owner), mine);
		else if (what == 2)
			CHECK_EQ(frame_take_over(part, order, owner), pages * PAGE_SIZE - mine);
		else if (what == 3)
			(void)frame_take_over(part, order, owner);
		for (unsigned i = first; i < first + pages; i++) {
			counts[i] = what == 0 ? counts[i] + 1 : what == 1 && !last ? counts[i] - 1 : counts[i];
			if (what == 1 && !last)
				owners[i] = owners[i] == owner ? 0 : owners[i];
			else if (what > 1)
				owners[i] = owner;
		}
		CHECK_EQ(ram_free_bytes(), free);
	}
	for (unsigned i = 0; i < SHARED_PAGES; i++)
		for (; counts[i] > 0; counts[i]--)
			drop(block + i * PAGE_SIZE, 0, 0);
	ram_check_whole(block, SHARED_ORDER);
	ram_close(&ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_reference_frees),
		cmocka_unit_test(owners_are_counted_in_bytes),
		cmocka_unit_test(parts_count_each_on_its_own),
		cmocka_unit_test(a_page_is_dropped_at_once),
		cmocka_unit_test(what_is_shared_gets_a_frame_for_its_copy),
		cmocka_unit_test(what_is_not_shared_is_kept),
		cmocka_unit_test(pages_are_shared_in_a_row),
		cmocka_unit_test(a_joint_block_has_its_parts),
		cmocka_unit_test(random_references),
	};

	return cmocka_run_group_tests_name("frame references", tests, NULL, NULL);
}
