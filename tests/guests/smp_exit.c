/* SPDX-License-Identifier: BSD-2-Clause */
/* The last vCPU ends the run while all others are at work. */
#include "tests/guests/busy.h"

static void leave(void *unused)
{
	(void)unused;
	rt_printf("smp_exit: vCPU %u ends it\n", rt_cpu_id());
	rt_exit(42);
}

int guest_main(void)
{
	unsigned last = rt_cpu_count() - 1;

	busy_start(1, last);
	CHECK(rt_cpu_start(last, leave, NULL) == 0);
	busy_cpu(NULL);
	return 1;
}
