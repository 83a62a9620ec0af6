/* SPDX-License-Identifier: BSD-2-Clause */
/* Jumps behind the end of its RAM. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"

int guest_main(void)
{
	rt_printf("wild_exec: to 0x%lx\n", ram_end());
	__asm__ volatile("call *%0" : : "r"(window(ram_end())) : "memory");
	rt_printf("wild_exec: FAILED: it came back\n");
	return 1;
}
