/* SPDX-License-Identifier: BSD-2-Clause */
/* All vCPUs stop themselves, the first one first: the last one's stop ends the run, as a halt does. */
#include "guest/rt/smp.h"
#include "tests/guests/check.h"

static struct rt_barrier barrier;

static void stop(void *unused)
{
	(void)unused;
	rt_barrier(&barrier, rt_cpu_count());
	for (unsigned i = 0; i < rt_cpu_id() * 50; i++)
		rt_yield();
	rt_printf("cpu_off: vCPU %u stops\n", rt_cpu_id());
	rt_cpu_off();
}

int guest_main(void)
{
	for (unsigned id = 1; id < rt_cpu_count(); id++)
		CHECK(rt_cpu_start(id, stop, NULL) == 0);
	stop(NULL);
	return 1;
}
