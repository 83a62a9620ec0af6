/* SPDX-License-Identifier: BSD-2-Clause */
/* Forks when the host has no memory left for that, goes on, and forks when it has some again. */
#include "guest/rt/work.h"
#include "tests/guests/check.h"

/* Less than a child needs, and enough for what the hypervisor keeps for itself. */
#define LEFT (16 * RT_PAGE_SIZE)

int guest_main(void)
{
	uint64_t pages = 0, result;

	while (rt_memory_info(RT_MEMORY_HOST_FREE) > LEFT && pages < rt_fresh_pages()) {
		rt_page_fill(rt_fresh_page(pages), 1);
		pages++;
	}
	rt_printf("fork_no_memory: filled %lu pages\n", pages);
	result = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
	CHECK(result == RT_NO_MEMORY);
	for (uint64_t i = 0; i < pages; i++)
		CHECK(rt_page_holds(rt_fresh_page(i), 1));
	for (uint64_t i = 0; i < pages; i += 2)
		rt_page_fill(rt_fresh_page(i), 2);
	for (uint64_t i = 64; i < pages; i++)
		CHECK(rt_hypercall(RT_CALL_DISCARD, rt_fresh_page(i), RT_PAGE_SIZE, 0, 0) == 0);
	result = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
	CHECK((int64_t)result >= 0);
	for (uint64_t i = 0; i < 64; i++)
		CHECK(rt_page_holds(rt_fresh_page(i), i % 2 ? 1 : 2));
	return check_status(result ? "fork_no_memory" : "fork_no_memory: child");
}
