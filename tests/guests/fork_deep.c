/* SPDX-License-Identifier: BSD-2-Clause */
/* Children that fork: each generation finds what its parent had at the fork, and what it writes is its own. */
#include "guest/rt/work.h"
#include "tests/guests/check.h"

#define GENERATIONS 4
#define PAGES       64

static struct rt_range room;

static void fill(uint64_t salt)
{
	for (unsigned i = 0; i < PAGES; i++)
		rt_page_fill(room.start + i * RT_PAGE_SIZE, salt);
}

static void check(uint64_t salt)
{
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(rt_page_holds(room.start + i * RT_PAGE_SIZE, salt));
}

int guest_main(void)
{
	unsigned generation = 0;

	room = rt_take(RT_BLOCK_SIZE);
	fill(generation);
	while (generation + 1 < GENERATIONS && rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0) == 0) {
		check(generation++);
		fill(generation);
	}
	check(generation);
	fill(100 + generation);
	check(100 + generation);
	rt_printf("fork_deep: generation %u has what it should\n", generation);
	return check_status("fork_deep");
}
