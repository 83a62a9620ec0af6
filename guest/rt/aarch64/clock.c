/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of an AArch64 guest: the virtual counter (Arm ARM DDI 0487, "The Generic Timer in AArch64 state"). */
#include "guest/rt/clock.h"

uint64_t rt_arch_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
}

uint64_t rt_arch_tick_rate(void)
{
	uint64_t rate;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(rate));
	return rate;
}
