/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks for a reset, which ends the run. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("psci_reset: here it comes\n");

	register uint64_t x0 __asm__("x0") = 0x84000009;

	__asm__ volatile("hvc #0" : "+r"(x0) : : "memory");
	rt_printf("psci_reset: FAILED: still here, 0x%lx\n", x0);
	return 1;
}
