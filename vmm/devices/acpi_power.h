/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The power registers of a machine with hardware-reduced ACPI, as three ports: sleep control, sleep status, reset.
 * Source: ACPI specification 6.4, 4.8.3.7 "Sleep Control and Status Registers", 4.8.3.6 "Reset Register".
 */
#ifndef NESTLING_VMM_DEVICES_ACPI_POWER_H
#define NESTLING_VMM_DEVICES_ACPI_POWER_H

#include "vmm/devices/device.h"

enum { POWER_SLEEP_CONTROL = 0, POWER_SLEEP_STATUS = 1, POWER_RESET = 2, POWER_REGISTERS = 3 };

#define POWER_S5          5 /* SLP_TYP of "soft off", in the guest's \_S5 */
#define POWER_RESET_VALUE 1

struct acpi_power {
	struct io_device device;
	/* The guest has switched itself off, or wants to begin anew. With the lock of the device's table. */
	void (*off)(struct acpi_power *power);
	void (*reset)(struct acpi_power *power);
};

void acpi_power_init(struct acpi_power *power, uint64_t base, void (*off)(struct acpi_power *), void (*reset)(struct acpi_power *));

#endif
