/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits for an interrupt, of which there are none: that ends the run. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("halt: going to sleep\n");
	rt_wait();
	rt_printf("halt: FAILED: woken up\n");
	return 1;
}
