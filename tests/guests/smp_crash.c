/* SPDX-License-Identifier: BSD-2-Clause */
/* The last vCPU crashes while all others are at work. */
#include "isa.h"
#include "tests/guests/busy.h"

static void crash(void *unused)
{
	(void)unused;
	rt_printf("smp_crash: here it comes, on vCPU %u\n", rt_cpu_id());
	__asm__ volatile(UNDEFINED_INSN);
	rt_printf("smp_crash: FAILED: it did not come\n");
	rt_exit(1);
}

int guest_main(void)
{
	unsigned last = rt_cpu_count() - 1;

	busy_start(1, last);
	CHECK(rt_cpu_start(last, crash, NULL) == 0);
	busy_cpu(NULL);
	return 1;
}
