/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a program by an exception of its own. */
#include "guest/rt/fault.h"

void rt_fault_stray(void)
{
	struct rt_fault fault = rt_fault_last();

	rt_printf("FAILED: %s that was not expected, address 0x%lx\n", fault.name, fault.address);
	rt_exit(1);
}
