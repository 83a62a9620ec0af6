/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More pages than the host has frames: that goes well as long as few of them hold anything but zeros, for those that do not
 * are taken back when memory runs low.
 *
 * Nearly every page is written and then cleared again (a duplicate of zero); or was brought by fault-around and never
 * written (untouched since it was zeroed). One page in eight, and in sixteen, holds data, and must keep it.
 */
#include "guest/rt/work.h"

static uint64_t touched; /* pages */

static void set_up(enum rt_policy policy)
{
	uint64_t free, fresh = 0;

	for (size_t i = 0; i < rt_fresh.count; i++) {
		rt_must(RT_CALL_DISCARD, rt_fresh.range[i].start, rt_fresh.range[i].size, 0);
		rt_must(RT_CALL_SET_POLICY, rt_fresh.range[i].start, rt_fresh.range[i].size, policy);
		fresh += rt_fresh.range[i].size;
	}
	free = rt_memory_info(RT_MEMORY_HOST_FREE);
	touched = (free / 4 * 5 < fresh ? free / 4 * 5 : fresh) / RT_PAGE_SIZE;
	rt_printf("pressure: the host has %s free; I use %s\n", rt_size_text(free).text, rt_size_text(touched * RT_PAGE_SIZE).text);
}

static void tell(const char *how, uint64_t held, uint64_t free, uint64_t reclaimed)
{
	reclaimed = rt_memory_info(RT_MEMORY_RECLAIMED) - reclaimed;
	rt_printf("pressure: %s: %s hold data, %s resident, %s taken back\n", how, rt_size_text(held * RT_PAGE_SIZE).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text, rt_size_text(reclaimed).text);
	if (touched * RT_PAGE_SIZE > free)
		rt_claim(reclaimed >= touched * RT_PAGE_SIZE - free, "only %lu bytes were taken back\n", reclaimed);
	else
		rt_printf("pressure: the host has room for all of that: try a smaller --host-ram\n");
}

static void check(uint64_t page, bool holds)
{
	uint64_t at = rt_fresh_page(page);

	rt_claim(holds ? rt_page_holds(at, page) : rt_page_is_zero(at), "page %lu is not what it was\n", page);
}

static void cleared(void)
{
	uint64_t free, reclaimed = rt_memory_info(RT_MEMORY_RECLAIMED);

	set_up(RT_POLICY_4K);
	free = rt_memory_info(RT_MEMORY_HOST_FREE);
	for (uint64_t page = 0; page < touched; page++) {
		rt_page_fill(rt_fresh_page(page), page);
		if (page % 8)
			rt_page_clear(rt_fresh_page(page));
	}
	tell("written and cleared", touched / 8, free, reclaimed);
	for (uint64_t page = 0; page < touched; page++)
		check(page, page % 8 == 0);
}

static void around(void)
{
	uint64_t free, reclaimed = rt_memory_info(RT_MEMORY_RECLAIMED);

	set_up(RT_POLICY_64K);
	free = rt_memory_info(RT_MEMORY_HOST_FREE);
	for (uint64_t page = 0; page < touched; page += 16)
		rt_page_fill(rt_fresh_page(page), page);
	tell("brought by fault-around", touched / 16, free, reclaimed);
	for (uint64_t page = 0; page < touched; page++)
		check(page, page % 16 == 0);
}

int guest_main(void)
{
	rt_printf("pressure: promised %s\n", rt_size_text(rt_memory_info(RT_MEMORY_PROMISED)).text);
	cleared();
	around();
	if (rt_claims_status() == 0)
		rt_printf("pressure: every page holds what it should\n");
	return rt_claims_status();
}
