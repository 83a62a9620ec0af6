/* SPDX-License-Identifier: BSD-2-Clause */
/* Reboots by PSCI: tests/guests/reboot.h. */
#include "tests/guests/reboot.h"

#define SYSTEM_RESET 0x84000009

static void ask_for_reboot(void)
{
	register uint64_t x0 __asm__("x0") = SYSTEM_RESET;

	__asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
	CHECK(!"it returns");
}
