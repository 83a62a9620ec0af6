/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of an x86_64 guest: the TSC, whose rate nobody tells. */
#include "guest/rt/clock.h"

uint64_t rt_arch_ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t rt_arch_tick_rate(void)
{
	return 0;
}
