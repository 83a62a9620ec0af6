/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads where there is neither RAM nor a device, although there is RAM above. */
#include "isa.h"

int guest_main(void)
{
	rt_printf("wild_hole: from 0x%x\n", HOLE);
	rt_printf("wild_hole: FAILED: got 0x%lx\n", *(volatile uint64_t *)window(HOLE));
	return 1;
}
