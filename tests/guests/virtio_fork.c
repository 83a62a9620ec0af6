/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM is forked while a virtio device has a chain in hand that another vCPU has given it: the device of either VM does the rest,
 * into that VM's memory, and gives the chain back once.
 */
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"
#include "tests/guests/virtio.h"

#define FORKS 6
#define BYTES 65536u
#define PAGES 2048

static struct queue queues[4], numbers_queue;
static uint8_t bytes[BYTES];
static uint32_t pages[PAGES];
static unsigned rounds;   /* chains of each kind that were given back */
static unsigned problems; /* that the other vCPU has found */
static bool stop;
static struct rt_range room;

/* All of the buffer is numbers: of 256 bytes in a row not all are 0. */
static bool is_filled(void)
{
	for (unsigned i = 0; i < BYTES; i += 256) {
		uint8_t any = 0;

		for (unsigned j = 0; j < 256; j++)
			any |= bytes[i + j];
		if (!any)
			return false;
	}
	return true;
}

static void fill_with_numbers(void)
{
	memset(bytes, 0, sizeof(bytes));
	virtio_offer(RNG, &numbers_queue, 0, 0);
	if (numbers_queue.used.idx != numbers_queue.available.idx || virtio_written(&numbers_queue) != BYTES || !is_filled())
		problems++;
}

/* Every second page of the room; those between stay. */
static void inflate(void)
{
	for (unsigned i = 0; i < 2 * PAGES; i++)
		*(volatile uint64_t *)(room.start + i * RT_PAGE_SIZE) = 42;
	virtio_offer(BALLOON, &queues[0], 0, 0);
	if (queues[0].used.idx != queues[0].available.idx)
		problems++;
	for (unsigned i = 0; i < 2 * PAGES; i++)
		if (*(volatile uint64_t *)(room.start + i * RT_PAGE_SIZE) != (i % 2 ? 42 : 0))
			problems++;
}

static void use_devices(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		fill_with_numbers();
		inflate();
		__atomic_fetch_add(&rounds, 1, __ATOMIC_SEQ_CST);
	}
}

static void wait_for(unsigned wanted)
{
	for (unsigned tries = 0; __atomic_load_n(&rounds, __ATOMIC_RELAXED) < wanted;)
		rt_relax(&tries);
}

/* Is a chain in a device's hands? */
static bool in_hand(void)
{
	return __atomic_load_n(&numbers_queue.available.idx, __ATOMIC_RELAXED) !=
		       __atomic_load_n(&numbers_queue.used.idx, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&queues[0].available.idx, __ATOMIC_RELAXED) !=
		       __atomic_load_n(&queues[0].used.idx, __ATOMIC_RELAXED);
}

static void end_work(void)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	while (rt_cpu_start(1, use_devices, NULL) == RT_DENIED)
		rt_yield();
	CHECK(problems == 0);
}

/* The child goes on until it has seen two rounds more: the first one is what the parent had begun. */
static void be_child(unsigned seen)
{
	wait_for(seen + 2);
	end_work();
	rt_exit((uint64_t)check_failures);
}

int guest_main(void)
{
	unsigned caught = 0;

	room = rt_take(2 * PAGES * RT_PAGE_SIZE);
	for (unsigned i = 0; i < PAGES; i++)
		pages[i] = (uint32_t)(room.start / RT_PAGE_SIZE) + 2 * i;
	virtio_begin(RNG, &numbers_queue, 1, MODERN);
	virtio_begin(BALLOON, queues, 4, MODERN);
	numbers_queue.descriptor[0] = (struct descriptor){ (uintptr_t)bytes, BYTES, WRITE, 0 };
	queues[0].descriptor[0] = (struct descriptor){ (uintptr_t)pages, sizeof(pages), 0, 0 };
	CHECK(rt_cpu_start(1, use_devices, NULL) == 0);
	for (unsigned i = 0; i < FORKS; i++) {
		uint64_t child;
		unsigned seen;

		wait_for(i + 1);
		for (unsigned tries = 0; !in_hand();)
			rt_relax(&tries);
		child = rt_fork();
		seen = __atomic_load_n(&rounds, __ATOMIC_RELAXED);
		caught += in_hand();
		CHECK(!rt_is_error(child));
		if (child == 0)
			be_child(seen);
		rt_vm_wait(child);
	}
	end_work();
	CHECK(caught > 0);
	rt_printf("virtio_fork: %u of %u forks with a chain in hand\n", caught, FORKS);
	return check_status("virtio_fork");
}
