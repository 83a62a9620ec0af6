/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ACPI's table of CPUs and interrupt controllers (drivers/acpi_madt.h) has on Arm. Source: ACPI specification 6.4, 5.2.12.14
 * "GIC CPU Interface (GICC) Structure" to 5.2.12.17 "GIC Redistributor (GICR) Structure".
 */
#ifndef NESTLING_DRIVERS_AARCH64_MADT_H
#define NESTLING_DRIVERS_AARCH64_MADT_H

#include <string.h>

#include "include/types.h"

enum { MADT_GICC = 0x0b, MADT_GICD = 0x0c, MADT_GICR = 0x0e };

/* Offsets in the structures, whose fields need not be aligned. */
enum {
	GICC_FLAGS = 12,
	GICC_BASE = 32,
	GICC_GICV_BASE = 40,
	GICC_GICH_BASE = 48,
	GICC_MAINTENANCE = 56,
	GICC_GICR_BASE = 60,
	GICC_MPIDR = 68,
	GICD_BASE = 8,
	GICD_VERSION = 20,
	GICR_BASE = 4,
	GICR_LENGTH = 12,
};
#define GICC_ENABLED BIT(0)

/* A field of at most 8 bytes, in a structure of `size`; 0 where that is too short for it. */
static inline uint64_t madt_field(const uint8_t *entry, size_t size, size_t offset, size_t bytes)
{
	uint64_t value = 0;

	if (offset + bytes <= size)
		memcpy(&value, entry + offset, bytes); /* little-endian, as we are */
	return value;
}

#endif
