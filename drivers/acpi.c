/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's root pointer and tables. Tables may lie at any address, so fields are copied out. */
#include "drivers/acpi.h"

#include <string.h>

/* More of either makes a table malformed. */
#define MAX_TABLE_BYTES MIB(1)

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* makes the first 20 bytes add up to 0 */
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	/* From revision 2 on: */
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_rsdp) == 36 && sizeof(struct acpi_header) == 36, "the layout of the specification");

static bool adds_up(const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + byte[i]);
	return sum == 0;
}

/* The table at an address, with all of it there and its checksum right; else NULL. */
static const void *table_at(acpi_reader reader, uint64_t address, struct acpi_header *header)
{
	const void *table = address ? reader(address, sizeof(*header)) : NULL;

	if (!table)
		return NULL;
	memcpy(header, table, sizeof(*header));
	if (header->length < sizeof(*header) || header->length > MAX_TABLE_BYTES)
		return NULL;
	table = reader(address, header->length);
	return table && adds_up(table, header->length) ? table : NULL;
}

/* The root table and the size of its entries. */
static enum err find_root(const void *at, acpi_reader reader, uint64_t *root, size_t *entry)
{
	struct acpi_rsdp rsdp;
	const uint64_t address = (uintptr_t)at;

	at = reader(address, 20);
	if (!at || memcmp(at, "RSD PTR ", 8) != 0 || !adds_up(at, 20))
		return ERR_CORRUPT;
	memset(&rsdp, 0, sizeof(rsdp));
	memcpy(&rsdp, at, 20);
	if (rsdp.revision >= 2) {
		at = reader(address, sizeof(rsdp));
		if (!at || !adds_up(at, sizeof(rsdp)))
			return ERR_CORRUPT;
		memcpy(&rsdp, at, sizeof(rsdp));
	}
	*root = rsdp.xsdt ? rsdp.xsdt : rsdp.rsdt;
	*entry = rsdp.xsdt ? sizeof(rsdp.xsdt) : sizeof(rsdp.rsdt);
	return ERR_OK;
}

enum err acpi_find_table(const void *rsdp, acpi_reader reader, const char signature[4], const void **table, size_t *size)
{
	struct acpi_header header;
	const char *root;
	uint64_t address;
	size_t entry, end;
	enum err err = find_root(rsdp, reader, &address, &entry);

	if (err != ERR_OK)
		return err;
	root = table_at(reader, address, &header);
	if (!root || memcmp(header.signature, entry == 8 ? "XSDT" : "RSDT", 4) != 0)
		return ERR_CORRUPT;
	end = header.length;
	for (size_t at = sizeof(header); end - at >= entry; at += entry) {
		const void *found;

		address = 0;
		memcpy(&address, root + at, entry); /* little-endian, as all our ISAs are */
		found = address ? reader(address, sizeof(header.signature)) : NULL;
		if (!found || memcmp(found, signature, sizeof(header.signature)) != 0)
			continue;
		*table = table_at(reader, address, &header);
		*size = header.length;
		return *table ? ERR_OK : ERR_CORRUPT;
	}
	return ERR_NOT_FOUND;
}
