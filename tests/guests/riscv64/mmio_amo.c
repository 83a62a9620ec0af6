/* SPDX-License-Identifier: BSD-2-Clause */
/* Reaches the UART by an instruction that is not emulated for a device. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	uint32_t old;

	rt_printf("mmio_amo: here it comes\n");
	__asm__ volatile("amoswap.w %0, zero, (%1)" : "=r"(old) : "r"(0x10000004ul) : "memory");
	rt_printf("mmio_amo: FAILED: it was done\n");
	return 1;
}
