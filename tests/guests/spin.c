/* SPDX-License-Identifier: BSD-2-Clause */
/* Never ends. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("spin: round and round\n");
	for (;;)
		__asm__ volatile("" : : : "memory");
}
