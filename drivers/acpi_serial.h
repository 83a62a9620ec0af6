/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial ports that ACPI's tables name. Sources: "Serial Port Console Redirection Table (SPCR)" and "Debug Port Table 2 (DBG2)"
 * by Microsoft.
 */
#ifndef NESTLING_DRIVERS_ACPI_SERIAL_H
#define NESTLING_DRIVERS_ACPI_SERIAL_H

#include "drivers/acpi.h"
#include "drivers/serial.h"

/* The console: what SPCR says. Errors: as acpi_find_table, and ERR_UNSUPPORTED for a kind of port that has no driver. */
MUST_CHECK enum err acpi_find_serial(const void *rsdp, acpi_reader reader, struct serial_port *port);

/*
 * A port for a debugger: the first serial one of DBG2 that there is a driver for. Errors: as acpi_find_table; ERR_CORRUPT also if a
 * description does not fit into the table; ERR_UNSUPPORTED: it names none.
 */
MUST_CHECK enum err acpi_find_debug_port(const void *rsdp, acpi_reader reader, struct serial_port *port);

#endif
