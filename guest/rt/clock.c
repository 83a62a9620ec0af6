/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock. Where the platform does not say how fast its counter is, it is compared with the CPU time that the hypervisor counts.
 */
#include "guest/rt/clock.h"

#include "guest/rt/rt.h"

/* A call to the hypervisor must be little beside a window, and a slice long beside it. */
#define WINDOWS   6
#define WINDOW_US 8000

/*
 * Ticks a second over some milliseconds of CPU time: too many, if another VM had the CPU meanwhile. Never too few: the ticks are
 * read before the first time and after the last one, for the machine may stand still in between, when it is an emulated one.
 */
static uint64_t rate_of_window(void)
{
	uint64_t ticks = rt_arch_ticks(), from = rt_memory_info(RT_MEMORY_CPU_TIME), time;

	do
		time = rt_memory_info(RT_MEMORY_CPU_TIME) - from;
	while (time < WINDOW_US);
	return (rt_arch_ticks() - ticks) * 1000000 / time;
}

/* Of some windows, one that had the CPU for itself. */
static uint64_t measure(void)
{
	uint64_t least = ~0ul;

	for (unsigned i = 0; i < WINDOWS; i++) {
		uint64_t rate = rate_of_window();

		least = rate < least ? rate : least;
	}
	return least;
}

uint64_t rt_clock_us(void)
{
	static uint64_t rate;
	uint64_t ticks;

	if (rate == 0) {
		rate = rt_arch_tick_rate();
		rate = rate ? rate : measure();
	}
	ticks = rt_arch_ticks();
	return ticks / rate * 1000000 + ticks % rate * 1000000 / rate;
}
