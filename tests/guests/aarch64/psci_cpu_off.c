/* SPDX-License-Identifier: BSD-2-Clause */
/* Switches its only CPU off, which ends the run. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("psci_cpu_off: here it comes\n");

	register uint64_t x0 __asm__("x0") = 0x84000002;

	__asm__ volatile("hvc #0" : "+r"(x0) : : "memory");
	rt_printf("psci_cpu_off: FAILED: still here, 0x%lx\n", x0);
	return 1;
}
