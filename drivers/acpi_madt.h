/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's table of interrupt controllers. Source: ACPI specification 6.4, 5.2.12 "Multiple APIC Description Table (MADT)". */
#ifndef NESTLING_DRIVERS_ACPI_MADT_H
#define NESTLING_DRIVERS_ACPI_MADT_H

#include "drivers/acpi.h"

/* Called for each entry: its bytes, header included, which have no alignment. */
typedef void (*madt_visitor)(uint8_t type, const uint8_t *entry, size_t size, void *context);

/*
 * Visit the entries in the table's order. Errors: as acpi_find_table; ERR_CORRUPT also if an entry has no sensible length: those
 * before it have been visited.
 */
MUST_CHECK enum err madt_visit(const void *rsdp, acpi_reader reader, madt_visitor visit, void *context);

/* Ids of CPUs, each once. */
struct cpu_ids {
	uint64_t *ids;
	unsigned room;  /* so many are kept */
	unsigned count; /* how many there are; above `room`, twice the same counts as two */
};

void cpu_ids_add(struct cpu_ids *list, uint64_t id);

/*
 * Add the ids of the local APICs whose CPUs can be started: those that the table calls enabled. Those that could be plugged in are
 * not there. Errors: as madt_visit.
 */
MUST_CHECK enum err madt_find_local_apics(const void *rsdp, acpi_reader reader, struct cpu_ids *list);

#endif
