/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes behind the end of its RAM. */
#include "isa.h"
#include "tests/guests/check.h"

int guest_main(void)
{
	rt_printf("wild_write: to 0x%lx\n", ram_end());
	*(volatile uint64_t *)window(ram_end()) = 1;
	rt_printf("wild_write: FAILED: nothing happened\n");
	return 1;
}
