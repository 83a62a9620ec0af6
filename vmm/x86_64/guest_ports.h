/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a guest finds its devices by port: for C, and for dsdt.asl. */
#ifndef NESTLING_VMM_X86_64_GUEST_PORTS_H
#define NESTLING_VMM_X86_64_GUEST_PORTS_H

#define UART_PORT  0x3f8
#define UART_LINE  4     /* input of the IOAPIC */
#define POWER_PORT 0x600 /* sleep control, sleep status, reset: vmm/devices/acpi_power.h */

#endif
