/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock of include/arch/virt.h: the time-stamp counter. */
#include "include/arch/virt.h"
#include "include/arch/x86_64/insn.h"

uint64_t arch_clock(void)
{
	return rdtsc();
}

uint64_t arch_cost_clock(void)
{
	return arch_clock();
}

const char *arch_cost_clock_name(void)
{
	return "tsc";
}
