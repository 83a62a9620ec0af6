/* SPDX-License-Identifier: BSD-2-Clause */
/* The structures of the MADT, one after the other. */
#include "drivers/aarch64/madt.h"

#include <string.h>

#include "drivers/acpi.h"

/* Of the table: its header, then 8 bytes that say nothing of Arm. */
#define MADT_ENTRIES 44

struct madt madt_find(const struct platform *platform)
{
	const void *table;
	struct madt madt = { 0 };
	size_t size;

	if (platform->acpi_rsdp && acpi_find_table(platform->acpi_rsdp, platform->acpi_reader, "APIC", &table, &size) == ERR_OK)
		madt = (struct madt){ table, size };
	return madt;
}

bool madt_next(const struct madt *madt, struct madt_entry *entry, unsigned type)
{
	size_t at = entry->at ? (size_t)(entry->at - madt->table) + entry->size : MADT_ENTRIES;

	for (; at + 2 <= madt->size; at += entry->size) {
		*entry = (struct madt_entry){ madt->table + at, madt->table[at + 1], madt->table[at] };
		if (entry->size < 2 || entry->size > madt->size - at)
			return false;
		if (entry->type == type)
			return true;
	}
	return false;
}

uint64_t madt_field(const struct madt_entry *entry, size_t offset, size_t bytes)
{
	uint64_t value = 0;

	if (offset + bytes <= entry->size)
		memcpy(&value, entry->at + offset, bytes); /* little-endian, as we are */
	return value;
}
