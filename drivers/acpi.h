/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's tables, as far as the hypervisor reads them. Sources: ACPI specification 6.4, sections 5.2.5 to 5.2.8.
 */
#ifndef NESTLING_DRIVERS_ACPI_H
#define NESTLING_DRIVERS_ACPI_H

#include "include/err.h"
#include "include/types.h"

/* What each table begins with, 5.2.6. */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

/* The `size` bytes of memory at a physical address, or NULL if that is no memory. */
typedef const void *(*acpi_reader)(uint64_t address, uint64_t size);

/*
 * Find the first table with this signature, through XSDT or RSDT, each with its checksum verified. `*size` is the
 * table's own length. Errors: ERR_NOT_FOUND; ERR_CORRUPT (a table on the way to it, or itself, is malformed).
 */
MUST_CHECK enum err acpi_find_table(const void *rsdp, acpi_reader reader, const char signature[4], const void **table,
				    size_t *size);

#endif
