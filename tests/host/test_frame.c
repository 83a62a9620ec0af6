/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame allocator: alignment, joining, exhaustion, misuse, and random load against a map of owners. */
#include "tests/host/ram.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x40000000

static void records_take_eight_bytes_a_frame(void **state)
{
	const struct ram_range span[] = { { HPA(0), MIB(4) }, { HPA(GIB(4)), GIB(1) }, { HPA(GIB(8)), KIB(4) } };
	uint64_t frames = (MIB(4) + GIB(1) + KIB(4)) / PAGE_SIZE, size = frame_records_size(span, 3);

	(void)state;
	CHECK(size >= 8 * frames && size < 8 * frames + PAGE_SIZE, "%ju bytes", (uintmax_t)size);
	CHECK(is_aligned(size, PAGE_SIZE), "%ju bytes", (uintmax_t)size);
	CHECK_EQ(frame_records_size(span, 0), 0);
}

static void every_order_is_aligned_and_comes_back(void **state)
{
	static struct ram ram;
	uint64_t frames[FRAME_MAX_ORDER + 1];
	hpa_t none;

	(void)state;
	ram_open(&ram, BASE, GIB(3) + MIB(16), false);
	for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++) {
		uint64_t before = ram_free_bytes();

		frames[order] = ram_alloc(order);
		CHECK(frames[order] >= BASE && frames[order] + (PAGE_SIZE << order) <= BASE + ram.arena.size, "%#jx",
		      (uintmax_t)frames[order]);
		CHECK_EQ(before - ram_free_bytes(), PAGE_SIZE << order);
		for (unsigned other = 0; other < order; other++)
			CHECK(frames[other] + (PAGE_SIZE << other) <= frames[order] ||
				      frames[order] + (PAGE_SIZE << order) <= frames[other],
			      "orders %u and %u overlap", other, order);
	}
	CHECK_ERR(frame_alloc(FRAME_MAX_ORDER + 1, &none), ERR_RANGE);
	CHECK_ERR(frame_alloc(64, &none), ERR_RANGE);
	CHECK_ERR(frame_alloc_zeroed(FRAME_MAX_ORDER + 1, &none), ERR_RANGE);
	for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++)
		frame_free(HPA(frames[order]), order);
	/* All joined again: as many of the largest blocks as there are in the range. */
	frames[0] = ram_alloc(FRAME_MAX_ORDER);
	frames[1] = ram_alloc(FRAME_MAX_ORDER);
	frame_free(HPA(frames[0]), FRAME_MAX_ORDER);
	frame_free(HPA(frames[1]), FRAME_MAX_ORDER);
	ram_close(&ram);
}

static void all_frames_can_be_had_once(void **state)
{
	static struct ram ram;
	struct host_rng rng = host_rng("exhaustion", 7);
	uint64_t *frames;
	size_t count = 0, total;
	hpa_t frame;

	(void)state;
	ram_open(&ram, BASE, MIB(4), false);
	total = ram.usable / PAGE_SIZE;
	frames = calloc(total + 1, sizeof(*frames));
	assert_non_null(frames);
	CHECK_EQ(frame_get_stats().total, ram.usable);
	while (frame_alloc(0, &frame) == ERR_OK) {
		CHECK(count < total, "more frames than there are");
		for (size_t i = 0; i < count; i++)
			CHECK(frames[i] != frame.raw, "%#jx twice", (uintmax_t)frame.raw);
		frames[count++] = frame.raw;
	}
	CHECK_EQ(count, total);
	CHECK_EQ(ram_free_bytes(), 0);
	CHECK_ERR(frame_alloc_zeroed(0, &frame), ERR_NO_MEMORY);
	CHECK_ERR(frame_alloc(3, &frame), ERR_NO_MEMORY);
	while (count > 0) { /* back in any order */
		size_t i = host_below(&rng, count);

		frame_free(HPA(frames[i]), 0);
		frames[i] = frames[--count];
	}
	/* 4 MiB less two pages of records: the upper half is one block again. */
	frame_free(HPA(ram_alloc(9)), 9);
	free(frames);
	ram_close(&ram);
}

/* Blocks of all sizes come and go; nobody else writes into them. */
struct block {
	uint64_t frame, tag;
	unsigned order;
};

static uint64_t *word_at(const struct ram *ram, uint64_t phys)
{
	return arena_at(&ram->arena, phys);
}

static void sign(const struct ram *ram, const struct block *block)
{
	for (uint64_t at = 0; at < PAGE_SIZE << block->order; at += PAGE_SIZE) {
		*word_at(ram, block->frame + at) = block->tag + at;
		*word_at(ram, block->frame + at + PAGE_SIZE - 8) = ~block->tag;
	}
}

static void check_signature(const struct ram *ram, const struct block *block)
{
	for (uint64_t at = 0; at < PAGE_SIZE << block->order; at += PAGE_SIZE)
		CHECK(*word_at(ram, block->frame + at) == block->tag + at &&
			      *word_at(ram, block->frame + at + PAGE_SIZE - 8) == ~block->tag,
		      "block %#jx of order %u was written to", (uintmax_t)block->frame, block->order);
}

static void check_zero(const struct ram *ram, uint64_t frame, uint64_t size)
{
	const uint64_t *words = word_at(ram, frame);

	for (uint64_t i = 0; i < size / 8; i++)
		CHECK(words[i] == 0, "%#jx is %#jx", (uintmax_t)(frame + 8 * i), (uintmax_t)words[i]);
}

static void random_load(void **state)
{
	static struct ram ram;
	static struct block blocks[600];
	struct host_rng rng = host_rng("frames", 42);
	unsigned steps = host_steps(12000);
	size_t count = 0;
	uint64_t held = 0;

	(void)state;
	ram_open(&ram, BASE + KIB(52), MIB(8) + KIB(20), true);
	for (unsigned i = 0; i < steps; i++) {
		if (count < ARRAY_LEN(blocks) && host_chance(&rng, i / 200 % 2 ? 65 : 45)) {
			struct block block = { .order = (unsigned)host_below(&rng, host_chance(&rng, 90) ? 4 : 10) };
			bool zeroed = host_chance(&rng, 30);
			hpa_t frame;
			enum err err = zeroed ? frame_alloc_zeroed(block.order, &frame) : frame_alloc(block.order, &frame);

			if (err == ERR_NO_MEMORY)
				continue;
			CHECK_ERR(err, ERR_OK);
			CHECK(is_aligned(frame.raw, PAGE_SIZE << block.order), "%#jx", (uintmax_t)frame.raw);
			if (zeroed)
				check_zero(&ram, frame.raw, PAGE_SIZE << block.order);
			block.frame = frame.raw;
			block.tag = host_random(&rng);
			sign(&ram, &block);
			held += PAGE_SIZE << block.order;
			blocks[count++] = block;
		} else if (count > 0) {
			size_t victim = host_below(&rng, count);

			check_signature(&ram, &blocks[victim]);
			frame_free(HPA(blocks[victim].frame), blocks[victim].order);
			held -= PAGE_SIZE << blocks[victim].order;
			blocks[victim] = blocks[--count];
		}
		CHECK_EQ(ram_free_bytes() + held, ram.usable);
	}
	while (count > 0) {
		count--;
		check_signature(&ram, &blocks[count]);
		frame_free(HPA(blocks[count].frame), blocks[count].order);
	}
	frame_free(HPA(ram_alloc(10)), 10); /* 4 MiB in one piece */
	ram_close(&ram);
}

static void zones_keep_their_holes(void **state)
{
	const struct ram_range span[] = {
		{ HPA(0), MIB(1) },
		{ HPA(MIB(2)), MIB(2) },
		{ HPA(MIB(4)), KIB(64) },
		{ HPA(MIB(6)), MIB(2) },
	};
	uint64_t records = MIB(7), free;
	struct arena arena;
	bool seen[2048] = { false };
	hpa_t frame;

	(void)state;
	arena_open(&arena, 0, MIB(8));
	CHECK_ERR(frame_init(span, 4, HPA(records), arena.phys_to_virt), ERR_OK);
	CHECK_EQ(ram_free_bytes(), 0);
	CHECK_ERR(frame_alloc(0, &frame), ERR_NO_MEMORY);
	CHECK_ERR(frame_add((struct ram_range){ HPA(0), KIB(16) }), ERR_OK); /* page 0 is left out */
	CHECK_ERR(frame_add((struct ram_range){ HPA(KIB(640)), KIB(384) }), ERR_OK);
	CHECK_ERR(frame_add((struct ram_range){ HPA(MIB(2)), MIB(2) }), ERR_OK);
	CHECK_ERR(frame_add((struct ram_range){ HPA(MIB(4)), KIB(64) }), ERR_OK);
	CHECK_ERR(frame_add((struct ram_range){ HPA(MIB(6)), MIB(1) }), ERR_OK);
	CHECK_ERR(frame_add((struct ram_range){ HPA(MIB(1)), KIB(4) }), ERR_RANGE);
	CHECK_ERR(frame_add((struct ram_range){ HPA(KIB(1020)), KIB(8) }), ERR_RANGE);
	CHECK_ERR(frame_add((struct ram_range){ HPA(MIB(8)), KIB(4) }), ERR_RANGE);
	CHECK_ERR(frame_add((struct ram_range){ HPA(MIB(2) + 1), KIB(4) }), ERR_INVALID);
	CHECK_ERR(frame_add((struct ram_range){ HPA(MIB(2)), KIB(4) + 8 }), ERR_INVALID);
	free = KIB(12) + KIB(384) + MIB(2) + KIB(64) + MIB(1);
	CHECK_EQ(ram_free_bytes(), free);
	CHECK_EQ(frame_get_stats().total, free);
	/* 2 MiB here is one block, and nothing joins across the end of it that is not there. */
	CHECK_EQ(ram_alloc(9), MIB(2));
	CHECK_ERR(frame_alloc(9, &frame), ERR_NO_MEMORY);
	frame_free(HPA(MIB(2)), 9);
	while (frame_alloc(0, &frame) == ERR_OK) {
		uint64_t at = frame.raw;

		CHECK(at >= KIB(4), "page 0 was given away");
		CHECK(at < KIB(16) || (at >= KIB(640) && at < MIB(1)) || (at >= MIB(2) && at < MIB(4) + KIB(64)) ||
			      (at >= MIB(6) && at < MIB(7)),
		      "%#jx was never added", (uintmax_t)at);
		CHECK(!seen[at / PAGE_SIZE], "%#jx twice", (uintmax_t)at);
		seen[at / PAGE_SIZE] = true;
		free -= PAGE_SIZE;
	}
	CHECK_EQ(free, 0);
	arena_close(&arena);
}

/* What was in use all along becomes memory that can be shared, and never free memory. */
static void memory_in_use_is_adopted(void **state)
{
	const struct ram_range span[] = { { HPA(0), MIB(4) } };
	struct frame_chain chain = { 0 };
	struct frame_copy copy;
	struct arena arena;
	uint64_t gained = 77;

	(void)state;
	arena_open(&arena, 0, MIB(8));
	CHECK_ERR(frame_init(span, 1, HPA(MIB(7)), arena.phys_to_virt), ERR_OK);
	CHECK_ERR(frame_add((struct ram_range){ HPA(0), MIB(1) }), ERR_OK);
	CHECK_ERR(frame_adopt((struct ram_range){ HPA(MIB(1) + KIB(4)), MIB(1) + KIB(8) }), ERR_OK);
	CHECK_ERR(frame_adopt((struct ram_range){ HPA(MIB(3)), MIB(1) + KIB(4) }), ERR_RANGE);
	CHECK_ERR(frame_adopt((struct ram_range){ HPA(MIB(5)), KIB(4) }), ERR_RANGE);
	CHECK_ERR(frame_adopt((struct ram_range){ HPA(MIB(3) + 1), KIB(4) }), ERR_INVALID);
	CHECK_EQ(ram_free_bytes(), MIB(1) - KIB(4));
	frame_share_count(HPA(MIB(1) + KIB(8)), MIB(1) / PAGE_SIZE);
	for (uint64_t at = MIB(1) + KIB(4); at < MIB(2) + KIB(12); at += PAGE_SIZE)
		CHECK_EQ(frame_is_shared(HPA(at), 0), at >= MIB(1) + KIB(8) && at < MIB(2) + KIB(8));
	CHECK_EQ(frame_chain_add(&chain, HPA(MIB(1) + KIB(8)), MIB(1) / PAGE_SIZE, 1), 0);
	CHECK_EQ(chain.first, 0);
	CHECK(!frame_is_shared(HPA(MIB(1) + KIB(8)), 0), "%s", "the caller's reference is left");
	frame_share(HPA(MIB(1) + KIB(12)), 0);
	CHECK_ERR(frame_alloc_copy(HPA(MIB(1) + KIB(12)), 1, &copy), ERR_OK);
	CHECK(copy.of_file, "%s", "no guest has written to it");
	frame_free(copy.frame, 0);
	frame_unshare_pages(HPA(MIB(1) + KIB(12)), 1);
	CHECK_ERR(frame_alloc_copy_or_keep(HPA(MIB(1) + KIB(12)), 1, &copy, &gained), ERR_OK);
	CHECK_EQ(copy.frame.raw, 0);
	CHECK_EQ(gained, 77);
	frame_share(HPA(MIB(1) + KIB(12)), 0);
	CHECK_ERR(frame_alloc_copy_or_keep(HPA(MIB(1) + KIB(12)), 1, &copy, &gained), ERR_OK);
	CHECK(copy.frame.raw != 0 && copy.dropped, "%s", "nothing else is done with the file's page");
	CHECK(!frame_is_shared(HPA(MIB(1) + KIB(12)), 0), "%s", "the reference is dropped already");
	frame_free(copy.frame, 0);
	CHECK(copy.of_file && frame_is_of_file(HPA(MIB(1) + KIB(12)), 1), "%s", "nobody gets a file's page as his own");
	CHECK_EQ(ram_free_bytes(), MIB(1) - KIB(4));
	arena_close(&arena);
}

static void too_many_zones_are_refused(void **state)
{
	struct ram_range span[FRAME_MAX_ZONES + 1];
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(span); i++)
		span[i] = (struct ram_range){ HPA(MIB(1) * (i + 1)), KIB(64) };
	arena_open(&arena, 0, MIB(16));
	CHECK_ERR(frame_init(span, FRAME_MAX_ZONES + 1, HPA(MIB(15)), arena.phys_to_virt), ERR_RANGE);
	CHECK_ERR(frame_init(span, FRAME_MAX_ZONES, HPA(MIB(15)), arena.phys_to_virt), ERR_OK);
	arena_close(&arena);
}

/* After a panic the allocator's lock is held and its state unknown: each misuse gets a machine of its own. */
static void misuse(unsigned which)
{
	static struct ram ram;
	struct frame_chain chain = { 0 };
	uint64_t block, page;

	ram_open(&ram, BASE, MIB(16), false);
	block = ram_alloc(4);
	page = ram_alloc(0);
	switch (which) {
	case 0: /* twice */
		frame_free(HPA(page), 0);
		EXPECT_PANIC(frame_free(HPA(page), 0));
		break;
	case 1: /* not RAM at all */
		EXPECT_PANIC(frame_free(HPA(BASE + MIB(64)), 0));
		break;
	case 2: /* below all RAM */
		EXPECT_PANIC(frame_free(HPA(0), 0));
		break;
	case 3: /* never allocated */
		EXPECT_PANIC(frame_free(HPA(block ^ (PAGE_SIZE << 4)), 4));
		break;
	case 4:
		EXPECT_PANIC(frame_free(HPA(block), 3));
		break;
	case 5:
		EXPECT_PANIC(frame_free(HPA(block), 5));
		break;
	case 6:
		EXPECT_PANIC(frame_free(HPA(page + 8), 0));
		break;
	case 7: /* the middle of a block */
		EXPECT_PANIC(frame_free(HPA(block + PAGE_SIZE), 0));
		break;
	case 8: /* the records, which were never handed over */
		EXPECT_PANIC(frame_free(HPA(BASE), 0));
		break;
	case 9: /* waiting for a flush */
		frame_chain_add(&chain, HPA(page), 1, 0);
		EXPECT_PANIC(frame_free(HPA(page), 0));
		break;
	case 10:
		frame_chain_add(&chain, HPA(page), 1, 0);
		EXPECT_PANIC(frame_chain_add(&chain, HPA(page), 1, 0));
		break;
	case 11:
		EXPECT_PANIC(frame_chain_add(&chain, HPA(BASE + MIB(64)), 1, 0));
		break;
	case 12:
		frame_free(HPA(page), 0);
		EXPECT_PANIC(frame_chain_add(&chain, HPA(page), 1, 0));
		break;
	case 13:
		EXPECT_PANIC(frame_chain_add(&chain, HPA(block), 32, 0));
		break;
	case 14: /* part of what waits already */
		frame_chain_add(&chain, HPA(block), 16, 0);
		EXPECT_PANIC(frame_chain_add(&chain, HPA(block + PAGE_SIZE), 1, 0));
		break;
	case 15: /* joined with its buddy since */
		frame_free(HPA(block), 4);
		EXPECT_PANIC(frame_free(HPA(block), 4));
		break;
	case 16: /* references of what is not allocated */
		frame_free(HPA(page), 0);
		EXPECT_PANIC(frame_share(HPA(page), 0));
		break;
	case 17:
		EXPECT_PANIC(frame_is_shared(HPA(BASE + MIB(64)), 0));
		break;
	case 18: /* the upper half of this was never allocated */
		EXPECT_PANIC(frame_share(HPA(align_down(block, PAGE_SIZE << 5)), 5));
		break;
	case 19:
		frame_free(HPA(block), 4);
		EXPECT_PANIC((void)frame_take_over(HPA(block), 4, 1));
		break;
	case 20: /* parted, and freed as if it were whole */
		frame_share(HPA(block + PAGE_SIZE), 0);
		EXPECT_PANIC(frame_free(HPA(block), 4));
		break;
	case 21: /* of what waits for a flush nobody may ask for more */
		frame_chain_add(&chain, HPA(block), 16, 0);
		EXPECT_PANIC(frame_take_over(HPA(block), 4, 1));
		break;
	default:
		fail();
	}
	arena_close(&ram.arena);
}

static void misuse_panics(void **state)
{
	(void)state;
	for (unsigned which = 0; which <= 21; which++)
		misuse(which);
}

static void zeroed_is_zero(void **state)
{
	static struct ram ram;
	hpa_t frame;

	(void)state;
	ram_open(&ram, BASE, MIB(8), true);
	for (unsigned order = 0; order <= 9; order++) {
		for (unsigned round = 0; round < 2; round++) {
			CHECK_ERR(frame_alloc_zeroed(order, &frame), ERR_OK);
			check_zero(&ram, frame.raw, PAGE_SIZE << order);
			memset(frame_ptr(frame), 0x5a, PAGE_SIZE << order);
			frame_free(frame, order);
		}
	}
	ram_close(&ram);
}

static void a_chain_frees_only_when_told(void **state)
{
	static struct ram ram;
	struct frame_chain chain = { 0 };
	struct block blocks[6];
	uint64_t free, waiting = 0;

	(void)state;
	ram_open(&ram, BASE, MIB(16), true);
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++) {
		blocks[i] = (struct block){ .frame = ram_alloc(i * 3 % 10), .tag = i * 77, .order = i * 3 % 10 };
		sign(&ram, &blocks[i]);
	}
	free = ram_free_bytes();
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++) {
		frame_chain_add(&chain, HPA(blocks[i].frame), UINT64_C(1) << blocks[i].order, 0);
		waiting += PAGE_SIZE << blocks[i].order;
	}
	CHECK_EQ(ram_free_bytes(), free);
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++)
		check_signature(&ram, &blocks[i]); /* CPUs may still be using it */
	frame_chain_free(&chain);
	CHECK_EQ(ram_free_bytes(), free + waiting);
	frame_chain_free(&chain); /* it is empty */
	CHECK_EQ(ram_free_bytes(), free + waiting);
	ram_close(&ram);
}

/* A block that was given out whole may come back in pieces: a large leaf that was split. */
static void a_chain_takes_pieces(void **state)
{
	static struct ram ram;
	struct frame_chain chain = { 0 };
	uint64_t block;

	(void)state;
	ram_open(&ram, BASE, MIB(16), false);
	block = ram_alloc(9);
	frame_chain_add(&chain, HPA(block + KIB(4) * 300), 1, 0);
	frame_chain_add(&chain, HPA(block), 1, 0);
	frame_chain_free(&chain);
	CHECK_EQ(ram_free_bytes(), ram.usable - MIB(2) + KIB(8));
	for (uint64_t at = KIB(4); at < MIB(2); at += KIB(4))
		if (at != KIB(4) * 300)
			frame_chain_add(&chain, HPA(block + at), 1, 0);
	frame_chain_free(&chain);
	ram_check_whole(block, 9);
	ram_close(&ram);
}

static void the_count_of_a_table_starts_at_zero(void **state)
{
	static struct ram ram;
	hpa_t frame = { 0 };

	(void)state;
	ram_open(&ram, BASE, MIB(1), true);
	for (unsigned i = 0; i < 300; i++) {
		CHECK_ERR(frame_alloc(i % 3, &frame), ERR_OK);
		CHECK_EQ(*frame_table_present(frame), 0);
		*frame_table_present(frame) = 511;
		CHECK_EQ(*frame_table_present(frame), 511);
		frame_free(frame, i % 3);
	}
	CHECK(frame_ptr(frame) == arena_at(&ram.arena, frame.raw), "frame_ptr");
	ram_close(&ram);
}

/* Blocks change hands between CPUs: taken here, given back there. */
#define EXCHANGE 64
static uint64_t exchange[EXCHANGE];

static void *trade(void *context)
{
	struct host_rng rng = { .state = (uint64_t)(uintptr_t)context };

	for (unsigned i = 0; i < 4000; i++) {
		uint64_t *place = &exchange[host_below(&rng, EXCHANGE)], held = 0;
		unsigned order = (unsigned)(place - exchange) % 4;
		hpa_t frame;

		if (host_chance(&rng, 60) && frame_alloc(order, &frame) == ERR_OK)
			held = frame.raw;
		held = __atomic_exchange_n(place, held, __ATOMIC_ACQ_REL);
		if (held != 0)
			frame_free(HPA(held), order);
	}
	return NULL;
}

static void cpus_may_allocate_at_once(void **state)
{
	static struct ram ram;
	pthread_t threads[3];

	(void)state;
	ram_open(&ram, BASE, MIB(2), false);
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, trade, (void *)(uintptr_t)(i + 1)), 0);
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < EXCHANGE; i++) {
		if (exchange[i] != 0)
			frame_free(HPA(exchange[i]), i % 4);
		exchange[i] = 0;
	}
	frame_free(HPA(ram_alloc(8)), 8); /* joined again */
	ram_close(&ram);
}

/* As many frames as are asked for, and what they leave of a block is there for others. */
static void counts_take_no_more(void **state)
{
	static struct ram ram;
	static const uint64_t counts[] = { 1, 2, 3, 5, 9, 16, 17, 31 };
	hpa_t frames[ARRAY_LEN(counts)], other[256];
	uint64_t free, others = 0;

	(void)state;
	ram_open(&ram, BASE, MIB(1), false);
	free = ram_free_bytes();
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		uint64_t before = ram_free_bytes();

		CHECK_ERR(frame_alloc_count(FRAME_CALL, counts[i], &frames[i]), ERR_OK);
		CHECK_EQ(before - ram_free_bytes(), counts[i] * PAGE_SIZE);
		memset(frame_ptr(frames[i]), (int)i, counts[i] * PAGE_SIZE);
	}
	CHECK_ERR(frame_alloc_count(FRAME_CALL, 257, &other[0]), ERR_NO_MEMORY);
	for (; frame_alloc(0, &other[others]) == ERR_OK; others++)
		memset(frame_ptr(other[others]), 0xff, PAGE_SIZE);
	CHECK_EQ(ram_free_bytes(), 0);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
		for (uint64_t at = 0; at < counts[i] * PAGE_SIZE; at++)
			CHECK_EQ(((uint8_t *)frame_ptr(frames[i]))[at], i);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
		frame_free_count(frames[i * 3 % ARRAY_LEN(counts)], counts[i * 3 % ARRAY_LEN(counts)]);
	while (others > 0)
		frame_free(other[--others], 0);
	CHECK_EQ(ram_free_bytes(), free);
	CHECK_ERR(frame_alloc(7, &other[0]), ERR_OK); /* all have joined again */
	frame_free(other[0], 7);
	ram_close(&ram);
}

/* Runs grow, and go in any order. */
static void runs_grow(void **state)
{
	static struct ram ram;
	struct frame_run runs[3] = { 0 };
	uint64_t free;

	(void)state;
	ram_open(&ram, BASE, MIB(16), false);
	free = ram_free_bytes();
	for (unsigned order = FRAME_RUN_FIRST_ORDER - 1; order < FRAME_RUN_ORDER + 3; order++)
		for (unsigned i = 0; i < ARRAY_LEN(runs); i++) {
			CHECK_ERR(frame_run_renew(&runs[i], 1, 1, UINT64_MAX), ERR_OK);
			CHECK_EQ(runs[i].end - runs[i].next,
				 PAGE_SIZE << min_u64(max_u64(order, FRAME_RUN_FIRST_ORDER), FRAME_RUN_ORDER));
			CHECK_EQ(ram_free_bytes(), free);
		}
	CHECK(frame_run_drop(&runs[1], 1), "nothing was left");
	CHECK_ERR(frame_run_renew(&runs[0], 1, 16, 16), ERR_OK);
	CHECK_EQ(runs[0].end - runs[0].next, 16 * PAGE_SIZE);
	CHECK(frame_run_drop(&runs[2], 1) && frame_run_drop(&runs[0], 1), "nothing was left");
	CHECK(!frame_run_drop(&runs[0], 1), "left twice");
	/* A fault-around window may want more than a first run has. */
	runs[0].count = 0;
	CHECK_ERR(frame_run_renew(&runs[0], 1, 16, UINT64_MAX), ERR_OK);
	CHECK_EQ(runs[0].end - runs[0].next, 16 * PAGE_SIZE);
	frame_run_drop(&runs[0], 1);
	ram_close(&ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_take_eight_bytes_a_frame),
		cmocka_unit_test(every_order_is_aligned_and_comes_back),
		cmocka_unit_test(all_frames_can_be_had_once),
		cmocka_unit_test(random_load),
		cmocka_unit_test(zones_keep_their_holes),
		cmocka_unit_test(memory_in_use_is_adopted),
		cmocka_unit_test(too_many_zones_are_refused),
		cmocka_unit_test(misuse_panics),
		cmocka_unit_test(zeroed_is_zero),
		cmocka_unit_test(a_chain_frees_only_when_told),
		cmocka_unit_test(a_chain_takes_pieces),
		cmocka_unit_test(counts_take_no_more),
		cmocka_unit_test(runs_grow),
		cmocka_unit_test(the_count_of_a_table_starts_at_zero),
		cmocka_unit_test(cpus_may_allocate_at_once),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
