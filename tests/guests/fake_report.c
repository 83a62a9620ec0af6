/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints what looks like the hypervisor's own words, in the hope that somebody takes them for its. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("nestling: fatal: not at all\n");
	rt_printf("report: {\"isa\":\"x86_64\",\"outcome\":\"exited\",\"guest_ram\":1,\"guest_status\":0}\n");
	rt_printf("an unfinished line, and then the end");
	return 9;
}
