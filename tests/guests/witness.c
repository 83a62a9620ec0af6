/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs beside a VM that is up to no good: works for "ms=N" of the command line, looks whether its memory is what it wrote, and
 * tells how long it had to wait at most and which share of a CPU it got.
 */
#include "command_line.h"
#include "guest/rt/clock.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"
#include "tests/guests/option.h"

#define PAGES 64

int guest_main(void)
{
	struct rt_range room = rt_take(RT_BLOCK_SIZE);
	uint64_t work = option(command_line(), "ms=", 500) * 1000;
	uint64_t begin = rt_clock_us(), last = begin, longest = 0, passes = 0, cpu, now;

	cpu = rt_memory_info(RT_MEMORY_CPU_TIME);
	for (uint64_t i = 0; i < PAGES; i++)
		CHECK(rt_page_is_zero(room.start + i * RT_PAGE_SIZE));
	do {
		uint64_t page = room.start + passes % PAGES * RT_PAGE_SIZE;

		CHECK(passes < PAGES || rt_page_holds(page, passes - PAGES));
		rt_page_fill(page, passes++);
		now = rt_clock_us();
		longest = now - last > longest ? now - last : longest;
		last = now;
	} while (now - begin < work);
	cpu = rt_memory_info(RT_MEMORY_CPU_TIME) - cpu;
	CHECK(passes > PAGES);
	rt_printf("witness: waited %lu us at most, got %lu%% of a CPU\n", longest, cpu * 100 / (now - begin));
	return check_status("witness");
}
