/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM that clones itself: parent and children share every page until one of them writes it.
 *
 * The parent fills memory and forks eight times, and after each fork it changes a slice of the memory: so each child finds
 * another state of it, that of its own moment, while the parent and the other children go on changing what is theirs.
 */
#include "guest/rt/work.h"

#define CHILDREN 8
#define SLICE    16 /* pages that the parent changes after each fork, and each child in its turn */
#define PARENT   0x1000
#define CHILD    0x2000

static struct rt_range room;
static uint64_t pages;

static uint64_t page_at(uint64_t index)
{
	return room.start + index * RT_PAGE_SIZE;
}

/* Page number `i` of a slice: all over the room, and no page is in two slices. */
static uint64_t slice_page(uint64_t slice, unsigned i)
{
	return page_at(i * (pages / SLICE) + slice);
}

static void change(uint64_t slice, uint64_t salt)
{
	for (unsigned i = 0; i < SLICE; i++)
		rt_page_fill(slice_page(slice, i), salt);
}

/* Which salt was a page last filled with, when the parent had forked `generation` times and changed that many slices? */
static uint64_t salt_of(uint64_t index, uint64_t generation)
{
	uint64_t slice = index % (pages / SLICE);

	return slice < generation ? PARENT + slice : 0;
}

static void check_all(const char *who, uint64_t number, uint64_t generation)
{
	uint64_t bad = 0;

	for (uint64_t i = 0; i < pages; i++)
		bad += !rt_page_holds(page_at(i), salt_of(i, generation));
	rt_claim(bad == 0, "%s %lu: %lu pages are not what they were\n", who, number, bad);
}

static _Noreturn void child(uint64_t number)
{
	uint64_t cost;

	/* The parent has changed number - 1 slices before this fork, and more since, which must not be seen. */
	check_all("child", number, number - 1);
	change(CHILDREN + number, CHILD + number);
	cost = rt_memory_info(RT_MEMORY_RESIDENT);
	for (unsigned i = 0; i < SLICE; i++)
		rt_claim(rt_page_holds(slice_page(CHILDREN + number, i), CHILD + number), "child %lu: lost a page\n", number);
	rt_printf("fork: child %lu found the memory of its moment; %s its own, %s shared\n", number, rt_size_text(cost).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_SHARED)).text);
	rt_claim(cost >= SLICE * RT_PAGE_SIZE && cost <= SLICE * RT_PAGE_SIZE + 2 * RT_OWN_BYTES,
		 "child %lu: %lu bytes of its own for %u changed pages\n", number, cost, SLICE);
	/* Tables take a 512th of what they map; a child's own parts are small, but by no more than a page each. */
	cost = rt_memory_info(RT_MEMORY_USED);
	rt_claim(cost <= SLICE * RT_PAGE_SIZE + room.size / 256 + 64 * RT_PAGE_SIZE, "child %lu costs %lu bytes\n", number, cost);
	rt_exit((uint64_t)rt_claims_status());
}

/* The parent's part: what all of it may cost is what was changed, and the children's tables. */
static void fork_all(void)
{
	uint64_t resident = rt_memory_info(RT_MEMORY_RESIDENT), grown;

	for (uint64_t i = 0; i < CHILDREN; i++) {
		uint64_t number = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);

		if (number == 0)
			child(i + 1);
		if (!rt_claim(number == i + 1, "fork %lu gave %ld\n", i + 1, (long)number))
			return;
		change(i, PARENT + i);
	}
	grown = rt_memory_info(RT_MEMORY_RESIDENT) - resident;
	rt_claim((int64_t)grown <= (int64_t)(CHILDREN * SLICE * RT_PAGE_SIZE + RT_OWN_BYTES), "the parent grew by %lu bytes\n",
		 grown);
}

int guest_main(void)
{
	uint64_t promised = rt_memory_info(RT_MEMORY_PROMISED), before, used;

	room = rt_take(promised / 2 < 64ul << 20 ? promised / 2 : 64ul << 20);
	pages = room.size / RT_PAGE_SIZE;
	for (uint64_t i = 0; i < pages; i++)
		rt_page_fill(page_at(i), 0);
	before = rt_memory_info(RT_MEMORY_HOST_FREE);
	rt_printf("fork: filled %s; %s resident\n", rt_size_text(room.size).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text);
	fork_all();
	used = before - rt_memory_info(RT_MEMORY_HOST_FREE);
	rt_printf("fork: %u children, and %u pages changed after each: %s of the host's memory\n", CHILDREN, SLICE,
		  rt_size_text(used).text);
	check_all("parent", 0, CHILDREN);
	if (rt_claims_status() == 0)
		rt_printf("fork: the parent has what it wrote itself\n");
	return rt_claims_status();
}
