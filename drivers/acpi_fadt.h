/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's fixed description table. Source: ACPI specification 6.4, 5.2.9 "Fixed ACPI Description Table (FADT)". */
#ifndef NESTLING_DRIVERS_ACPI_FADT_H
#define NESTLING_DRIVERS_ACPI_FADT_H

#include "drivers/acpi.h"

/*
 * The I/O port of the power-management timer: 24 bits at least, at 3.579545 MHz (4.8.2.1). Errors: as acpi_find_table;
 * ERR_UNSUPPORTED: there is none, or not at a port.
 */
MUST_CHECK enum err fadt_find_pm_timer(const void *rsdp, acpi_reader reader, uint16_t *port);

#endif
