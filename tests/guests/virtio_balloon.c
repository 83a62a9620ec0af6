/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the virtio balloon: as a driver should, and as nobody should, with registers and queues that make no sense and, if there
 * is another vCPU, with queues that this one changes while they are read. Afterwards all works as at first.
 */
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"
#include "tests/guests/virtio_wild.h"

#define BLOCKS  32
#define ROUNDS  400  /* of wild queues, */
#define WORDS   4000 /* and of wild accesses */
#define REPORTS (1ul << 5)

static struct queue queues[4];
static bool wild; /* the other vCPU is to change queues */

static volatile uint32_t *at(uint64_t offset)
{
	return virtio_at(BALLOON, offset);
}

static void put(uint64_t offset, uint64_t value)
{
	virtio_put(BALLOON, offset, value);
}

static void begin(uint64_t features)
{
	virtio_begin(BALLOON, queues, 4, features);
}

static void offer(unsigned number, uint16_t head)
{
	virtio_offer(BALLOON, &queues[number], number, head);
}

/* --- As it should be ------------------------------------------------------------------------------------------------- */

static void fill(uint64_t start, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += RT_PAGE_SIZE)
		*(volatile uint64_t *)(start + i) = 42;
}

static void check_zeros(uint64_t start, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += RT_PAGE_SIZE)
		CHECK(*(volatile uint64_t *)(start + i) == 0);
}

/* One report of all of the room; what was in them is gone, and what it cost is the host's. */
static void report(void)
{
	uint64_t before, after, pages = room.size / RT_PAGE_SIZE / BLOCKS * BLOCKS, each = pages / BLOCKS * RT_PAGE_SIZE;

	begin(MODERN | REPORTS);
	CHECK(*at(STATUS) == DRIVER_OK);
	fill(room.start, pages * RT_PAGE_SIZE);
	before = rt_memory_info(RT_MEMORY_RESIDENT);
	for (unsigned i = 0; i < BLOCKS; i++)
		queues[2].descriptor[i] = (struct descriptor){ room.start + i * each, (uint32_t)each,
							       WRITE | (i + 1 < BLOCKS ? NEXT : 0), (uint16_t)(i + 1) };
	offer(2, 0);
	after = rt_memory_info(RT_MEMORY_RESIDENT);
	CHECK(queues[2].used.idx == 1 && queues[2].used.ring[0].id == 0);
	CHECK(before - after == pages * RT_PAGE_SIZE);
	check_zeros(room.start, pages * RT_PAGE_SIZE);
	CHECK(*at(0x60) == 1);
	put(0x64, 1);
	CHECK(*at(0x60) == 0);
}

static void inflate(void)
{
	static uint32_t numbers[256];
	uint64_t before;

	begin(MODERN);
	fill(room.start, sizeof(numbers) / sizeof(numbers[0]) * RT_PAGE_SIZE);
	for (uint32_t i = 0; i < 256; i++)
		numbers[i] = (uint32_t)(room.start / RT_PAGE_SIZE) + (i * 77) % 256;
	before = rt_memory_info(RT_MEMORY_RESIDENT);
	queues[0].descriptor[5] = (struct descriptor){ (uintptr_t)numbers, sizeof(numbers), 0, 0 };
	offer(0, 5);
	CHECK(queues[0].used.idx == 1 && queues[0].used.ring[0].id == 5);
	CHECK(before - rt_memory_info(RT_MEMORY_RESIDENT) == 256 * RT_PAGE_SIZE);
	queues[1].descriptor[0] = queues[0].descriptor[5];
	offer(1, 0);
	CHECK(queues[1].used.idx == 1);
	check_zeros(room.start, 256 * RT_PAGE_SIZE);
}

/* --- As it should not be --------------------------------------------------------------------------------------------- */

static void use_wildly(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 8 == 0)
			begin(MODERN | (random() & (REPORTS | 2 | 4 | 1ul << 28)));
		for (unsigned j = 0; j < SIZE; j++)
			describe_any((struct descriptor *)room.start, 256); /* tables, if a queue leads there */
		for (unsigned j = 0; j < 4; j++) {
			for (unsigned k = 0; k < SIZE; k++)
				change_queue(&queues[j]);
			put(NOTIFY, j);
		}
	}
	for (unsigned i = 0; i < WORDS; i++)
		access_any(BALLOON);
	put(STATUS, 0);
}

/* What the other vCPU does meanwhile. The generator is both vCPUs': its numbers are as good as any. */
static void change_all(void *unused)
{
	(void)unused;
	while (__atomic_load_n(&wild, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 4; i++)
			change_queue(&queues[i]);
		if (random() % 16 == 0)
			put(NOTIFY, random() % 5);
		if (random() % 1024 == 0)
			put(STATUS, 0);
	}
}

/* --- Beside the control page ------------------------------------------------------------------------------------------ */

#define CALL_DISCARD 4
#define CALL_NONE    99

static uint32_t many[2048]; /* numbers of pages: what takes many pieces */

static void inflate_many(void *unused)
{
	(void)unused;
	for (unsigned i = 0; __atomic_load_n(&wild, __ATOMIC_RELAXED) && i < 100000; i++)
		offer(0, 0);
}

/* Give the other vCPU something to do, as soon as it has ended with what it did before. */
static void beside(void (*function)(void *))
{
	uint64_t result;

	while ((result = rt_cpu_start(1, function, NULL)) == RT_DENIED)
		rt_yield();
	CHECK(result == 0);
}

static void nothing(void *unused)
{
	(void)unused;
}

/* What a vCPU asks of one device is carried out though another device has work in hand, which any vCPU that comes by takes part in.
 */
static void calls_are_not_lost(void)
{
	volatile uint32_t *page = window(CONTROL_PAGE);

	begin(MODERN);
	for (unsigned i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = (uint32_t)(room.start / RT_PAGE_SIZE) + i % 64 * 2;
	queues[0].descriptor[0] = (struct descriptor){ (uintptr_t)many, sizeof(many), 0, 0 };
	__atomic_store_n(&wild, true, __ATOMIC_RELAXED);
	beside(inflate_many);
	page[0x20 / 4] = (uint32_t)(room.start + RT_BLOCK_SIZE);
	page[0x24 / 4] = (uint32_t)((room.start + RT_BLOCK_SIZE) >> 32);
	page[0x28 / 4] = RT_PAGE_SIZE;
	page[0x2c / 4] = 0;
	for (unsigned i = 0; i < 1000; i++) {
		page[0x8 / 4] = CALL_NONE;
		CHECK((int32_t)page[0x10 / 4] == (int32_t)RT_NOT_SUPPORTED);
		page[0x8 / 4] = CALL_DISCARD;
		CHECK(page[0x10 / 4] == 0);
	}
	__atomic_store_n(&wild, false, __ATOMIC_RELAXED);
	beside(nothing);
	put(STATUS, 0);
}

int guest_main(void)
{
	room = rt_take(8 * RT_BLOCK_SIZE);
	report();
	inflate();
	__atomic_store_n(&wild, true, __ATOMIC_RELAXED);
	if (rt_cpu_count() > 1)
		beside(change_all);
	use_wildly();
	__atomic_store_n(&wild, false, __ATOMIC_RELAXED);
	if (rt_cpu_count() > 1) {
		beside(nothing);
		calls_are_not_lost();
	}
	report();
	inflate();
	return check_status("virtio_balloon");
}
