/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As many tiny VMs as fit: one VM forks until there is no memory for more, or until there are enough. All of them wait for the
 * first one to end, so they live beside each other; then each writes to memory of its own, looks at it, and ends.
 */
#include "guest/rt/work.h"

#define ENOUGH    1100
#define PAGES     4            /* that each writes */
#define MOST_USED (96ul << 10) /* of the host's memory by each, all of it counted */

static struct rt_range room;

static uint64_t page_at(unsigned i)
{
	return room.start + i * RT_PAGE_SIZE;
}

/* One of the crowd, which says nothing if all is well. */
static int member(uint64_t number)
{
	uint64_t used;

	rt_claim(rt_vm_wait(0) == 0, "VM %lu: there is no first one to wait for\n", number);
	for (unsigned i = 0; i < PAGES; i++)
		rt_claim(rt_page_is_zero(page_at(i)), "VM %lu: page %u is not fresh\n", number, i);
	for (unsigned i = 0; i < PAGES; i++)
		rt_page_fill(page_at(i), number);
	rt_yield();
	for (unsigned i = 0; i < PAGES; i++)
		rt_claim(rt_page_holds(page_at(i), number), "VM %lu: page %u is not its own\n", number, i);
	used = rt_memory_info(RT_MEMORY_USED);
	rt_claim(used <= MOST_USED, "VM %lu: it costs %lu bytes\n", number, used);
	return rt_claims_status();
}

int guest_main(void)
{
	uint64_t before, used, count = 0, number = 1;

	room = rt_take(RT_BLOCK_SIZE);
	before = rt_memory_info(RT_MEMORY_HOST_FREE);
	while (count < ENOUGH && !rt_is_error(number = rt_fork())) {
		if (number == 0)
			return member(count + 1);
		count++;
	}
	used = before - rt_memory_info(RT_MEMORY_HOST_FREE);
	if (rt_is_error(number))
		rt_printf("crowd: there is no room for number %lu: %s\n", count + 1,
			  number == RT_NO_MEMORY ? "no memory" : "FAILED: not for want of memory");
	rt_claim(count > 0, "there is room for one VM only\n");
	rt_claim(rt_memory_info(RT_MEMORY_FORKS_LIVE) == count + 1, "%lu VMs live\n", rt_memory_info(RT_MEMORY_FORKS_LIVE));
	rt_printf("crowd: %lu VMs beside this one, each promised %s: %s of the host's memory each so far\n", count,
		  rt_size_text(rt_memory_info(RT_MEMORY_PROMISED)).text, rt_size_text(used / (count ? count : 1)).text);
	return rt_claims_status();
}
