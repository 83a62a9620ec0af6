/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the highest page that the CPU can address. */
#include "isa.h"

int guest_main(void)
{
	uint64_t gpa = (1ul << physical_bits()) - RT_PAGE_SIZE;

	rt_printf("wild_high: from 0x%lx\n", gpa);
	rt_printf("wild_high: FAILED: got 0x%lx\n", *(volatile uint64_t *)window(gpa));
	return 1;
}
