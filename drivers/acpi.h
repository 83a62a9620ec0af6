/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's tables, as far as the hypervisor reads them. Sources: ACPI specification 6.4, sections 5.2.5 to 5.2.8; "Serial
 * Port Console Redirection Table (SPCR)" and "Debug Port Table 2 (DBG2)" by Microsoft.
 */
#ifndef NESTLING_DRIVERS_ACPI_H
#define NESTLING_DRIVERS_ACPI_H

#include "drivers/serial.h"
#include "include/err.h"
#include "include/types.h"

/* The `size` bytes of memory at a physical address, or NULL if that is no memory. */
typedef const void *(*acpi_reader)(uint64_t address, uint64_t size);

/*
 * Find the first table with this signature, through XSDT or RSDT, each with its checksum verified. `*size` is the
 * table's own length. Errors: ERR_NOT_FOUND; ERR_CORRUPT (a table on the way to it, or itself, is malformed).
 */
MUST_CHECK enum err acpi_find_table(const void *rsdp, acpi_reader reader, const char signature[4], const void **table,
				    size_t *size);

/* What SPCR says. Errors: as above, and ERR_UNSUPPORTED for a kind of port that has no driver. */
MUST_CHECK enum err acpi_find_serial(const void *rsdp, acpi_reader reader, struct serial_port *port);

#endif
