/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the CPU walk page tables that lie in its interrupt controller, which may be a page of the machine's. */
#include "isa.h"
#include "tests/guests/check.h"

#define GICC 0x08010000ul

int guest_main(void)
{
	rt_printf("walk_device: tables at 0x%lx\n", GICC);
	walk_at(GICC);
	rt_printf("walk_device: FAILED: it went on\n");
	return 1;
}
