/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes an exception without having said where its handler is. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("no_handler: here it comes\n");
	__asm__ volatile(".word 0");
	rt_printf("no_handler: FAILED: it did not come\n");
	return 1;
}
