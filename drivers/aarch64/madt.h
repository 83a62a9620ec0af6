/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's table of CPUs and interrupt controllers, as it is on Arm. Source: ACPI specification 6.4, 5.2.12 "Multiple APIC
 * Description Table (MADT)", 5.2.12.14 "GIC CPU Interface (GICC) Structure" to 5.2.12.17 "GIC Redistributor (GICR) Structure".
 */
#ifndef NESTLING_DRIVERS_AARCH64_MADT_H
#define NESTLING_DRIVERS_AARCH64_MADT_H

#include "drivers/platform.h"

enum { MADT_GICC = 0x0b, MADT_GICD = 0x0c, MADT_GICR = 0x0e };

/* Offsets in the structures, whose fields need not be aligned. */
enum {
	GICC_FLAGS = 12,
	GICC_BASE = 32,
	GICC_GICR_BASE = 60,
	GICC_MPIDR = 68,
	GICD_BASE = 8,
	GICD_VERSION = 20,
	GICR_BASE = 4,
	GICR_LENGTH = 12,
};
#define GICC_ENABLED BIT(0)

/* One structure of the table; `at` is NULL before the first one. */
struct madt_entry {
	const uint8_t *at;
	size_t size;
	unsigned type;
};

struct madt {
	const uint8_t *table; /* NULL: there is none */
	size_t size;
};

/* Find the table. The firmware's map is in force. */
struct madt madt_find(const struct platform *platform);

/* Go on to the next structure of `type`. False: there are no more, or what follows is malformed. */
bool madt_next(const struct madt *madt, struct madt_entry *entry, unsigned type);

/* A field of `bytes`, at most 8; 0 where the structure is too short for it. */
uint64_t madt_field(const struct madt_entry *entry, size_t offset, size_t bytes);

#endif
