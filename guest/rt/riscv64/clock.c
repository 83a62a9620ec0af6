/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of a RISC-V guest: `time`, whose rate the device tree tells. */
#include "guest/rt/clock.h"
#include "guest/rt/fdt.h"

uint64_t rt_arch_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("rdtime %0" : "=r"(ticks) : : "memory");
	return ticks;
}

uint64_t rt_arch_tick_rate(void)
{
	return rt_fdt_timebase;
}
