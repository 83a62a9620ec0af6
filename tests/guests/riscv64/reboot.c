/* SPDX-License-Identifier: BSD-2-Clause */
/* Reboots by the SBI: tests/guests/reboot.h. */
#include "tests/guests/reboot.h"
#include "tests/guests/riscv64/trap.h"

#define SRST        0x53525354
#define COLD_REBOOT 1

static void ask_for_reboot(void)
{
	sbi(SRST, 0, COLD_REBOOT, 0, 0);
	CHECK(!"it returns");
}
