/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads two of the UART's registers by one instruction, of which the CPU tells the hypervisor only where it went. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	uint32_t a, b;

	rt_printf("mmio_pair: here it comes\n");
	__asm__ volatile("ldp %w0, %w1, [%2]" : "=&r"(a), "=&r"(b) : "r"(0x09000020ul));
	rt_printf("mmio_pair: FAILED: it read %u and %u\n", a, b);
	return 1;
}
