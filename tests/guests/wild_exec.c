/* SPDX-License-Identifier: BSD-2-Clause */
/* Jumps behind the end of its RAM. */
#include "isa.h"
#include "tests/guests/check.h"

int guest_main(void)
{
	void (*behind)(void) = (void (*)(void))window(ram_end());

	rt_printf("wild_exec: to 0x%lx\n", ram_end());
	behind();
	rt_printf("wild_exec: FAILED: it came back\n");
	return 1;
}
