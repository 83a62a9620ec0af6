/* SPDX-License-Identifier: BSD-2-Clause */
/* Never ends, and gives the CPU away all the time, which nobody else wants. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("yield: after you\n");
	for (;;)
		rt_yield();
}
