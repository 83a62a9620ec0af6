/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the CPU walk page tables that lie behind the end of its RAM. */
#include "isa.h"
#include "tests/guests/check.h"

int guest_main(void)
{
	rt_printf("wild_walk: tables at 0x%lx\n", ram_end());
	walk_at(ram_end());
	rt_printf("wild_walk: FAILED: it went on\n");
	return 1;
}
