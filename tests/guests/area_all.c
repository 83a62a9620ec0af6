/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that there is of memory taken by calls alone, which touch no page: single pages with permissions, or with a policy of their
 * own. What it took is counted, a page is to be had all the same, and all of it comes back when the ranges join again.
 */
#include "guest/rt/work.h"
#include "tests/guests/check.h"

#define APART  (2 * RT_PAGE_SIZE)
#define LITTLE (16 * RT_PAGE_SIZE) /* what may differ before and after, by a chunk or two */

static void take_all(uint64_t start, enum rt_call call, uint64_t change, uint64_t back)
{
	uint64_t before = rt_memory_info(RT_MEMORY_USED), resident = rt_memory_info(RT_MEMORY_RESIDENT), at, result = 0, taken;

	for (at = start; at + RT_PAGE_SIZE <= ram_end(); at += APART)
		if ((result = rt_hypercall(call, at, RT_PAGE_SIZE, change, 0)) != 0)
			break;
	taken = rt_memory_info(RT_MEMORY_USED) - before;
	rt_printf("area_all: %lu pages by call %d: %lu KiB, then %ld\n", (at - start) / APART, (int)call, taken >> 10,
		  (long)result);
	CHECK(result == RT_NO_MEMORY);
	CHECK(rt_memory_info(RT_MEMORY_RESIDENT) - resident <= LITTLE);
	CHECK(taken >= (at - start) / APART * 128);
	*(volatile uint64_t *)rt_fresh_page(call) = 1;
	CHECK(rt_hypercall(call, start, at - RT_PAGE_SIZE - start, back, 0) == 0);
	CHECK(rt_memory_info(RT_MEMORY_USED) - before <= LITTLE);
}

int guest_main(void)
{
	uint64_t start = (rt_fresh.range[rt_fresh.count - 1].start + (1 << 20) - 1) & ~((1ul << 20) - 1);

	take_all(start, RT_CALL_PROTECT, RT_READ, RT_READ | RT_WRITE | RT_EXECUTE);
	if (rt_memory_info(RT_MEMORY_MAX) != 0) /* else one is enough */
		take_all(start, RT_CALL_SET_POLICY, RT_POLICY_64K, RT_POLICY_4K);
	return check_status("area_all");
}
