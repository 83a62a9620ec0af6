/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads where there is never RAM: in the hole below 4 GiB. */
#include "guest/rt/rt.h"
#include "tests/guests/x86_64/cpu.h"

int guest_main(void)
{
	rt_printf("wild_hole: from 0xfee00000\n");
	rt_printf("wild_hole: FAILED: got 0x%lx\n", *(volatile uint64_t *)window(0xfee00000));
	return 1;
}
