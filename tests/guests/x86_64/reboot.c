/* SPDX-License-Identifier: BSD-2-Clause */
/* Reboots by ACPI's reset register, with an interrupt and a timer pending that the next life must not get: tests/guests/reboot.h.
 */
#include "tests/guests/reboot.h"
#include "tests/guests/x86_64/local_apic.h"

#define SLEEP_CONTROL 0x600
#define RESET         0x602

static void write_port(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static void ask_for_reboot(void)
{
	CHECK(read_msr(APIC_BASE_MSR) == (APIC_PAGE | APIC_ENABLED | 0x100));
	apic_begin();
	write_msr(X2_SELF, 0x40);
	write_msr(X2_LVT_TIMER, LVT_DEADLINE | 0x41);
	write_msr(TSC_DEADLINE_MSR, read_tsc() + 100000);
	write_port(SLEEP_CONTROL, 0x20); /* of no sleep type */
	write_port(RESET, 0);            /* not its value */
	write_port(RESET, 1);
	CHECK(!"it returns");
}
