/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's root pointer, tables and serial console. Tables may lie at any address, so fields are copied out. */
#include "drivers/acpi.h"

#include <string.h>

#include "drivers/uart.h"

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

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

/* Generic Address Structure, 5.2.3.2. */
struct acpi_address {
	uint8_t space, bit_width, bit_offset, access_size;
	uint64_t address;
} __attribute__((packed));

enum { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };

struct acpi_spcr {
	struct acpi_header header;
	uint8_t interface;
	uint8_t reserved[3];
	struct acpi_address base;
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_rsdp) == 36 && sizeof(struct acpi_header) == 36 && sizeof(struct acpi_spcr) == 52,
	       "the layout of the specification");

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

/* 1, 2, 4 bytes for the codes 1, 2, 3; what is older than the codes, or senseless, means bytes. */
static uint8_t access_bytes(uint8_t code)
{
	static const uint8_t bytes[] = { 1, 1, 2, 4 };

	return code < ARRAY_LEN(bytes) ? bytes[code] : 1;
}

static uint8_t log2_bytes(uint8_t bytes)
{
	if (bytes == 4)
		return 2;
	return bytes == 2 ? 1 : 0;
}

/* NULL: no driver is for this subtype. */
static const struct uart_subtype *find_driver(uint8_t subtype, const struct uart_driver **found)
{
	for (const struct uart_driver *const *driver = uart_drivers; (*found = *driver) != NULL; driver++)
		for (size_t i = 0; i < (*driver)->subtype_count; i++)
			if ((*driver)->subtypes[i].number == subtype)
				return &(*driver)->subtypes[i];
	return NULL;
}

/*
 * How far apart a 16550's registers are in memory no table says. They are taken to be as far apart as an access is wide, which
 * is what Linux takes them for (drivers/acpi/spcr.c) and firmware is tried with. The bit width, 5.2.3.2, is that of one
 * register, and can be larger: QEMU's RISC-V machine says 32 bits, to be accessed by bytes, of registers a byte apart.
 */
static enum err port_of_spcr(const struct acpi_spcr *spcr, struct serial_port *port)
{
	const struct acpi_address *base = &spcr->base;
	uint8_t width = access_bytes(base->access_size);
	const struct uart_driver *driver;
	const struct uart_subtype *is;

	if (base->space > ACPI_SPACE_IO || base->address == 0 || (base->space == ACPI_SPACE_IO && base->address > UINT16_MAX - 7))
		return ERR_UNSUPPORTED;
	is = find_driver(spcr->interface, &driver);
	if (!is || (base->space == ACPI_SPACE_IO && driver->registers == 0))
		return ERR_UNSUPPORTED;
	*port = (struct serial_port){
		.driver = driver,
		.by_io_port = base->space == ACPI_SPACE_IO,
		.base = base->address + is->offset,
		.shift = is->width ? is->shift : log2_bytes(width),
		.width = is->width ? is->width : width,
		.variant = is->variant,
	};
	if (port->by_io_port)
		port->shift = 0;
	port->size = driver->registers ? (uint64_t)driver->registers << port->shift : PAGE_SIZE;
	return ERR_OK;
}

enum err acpi_find_serial(const void *rsdp, acpi_reader reader, struct serial_port *port)
{
	struct acpi_spcr spcr;
	const void *table;
	size_t size;
	enum err err = acpi_find_table(rsdp, reader, "SPCR", &table, &size);

	if (err != ERR_OK)
		return err;
	if (size < sizeof(spcr))
		return ERR_CORRUPT;
	memcpy(&spcr, table, sizeof(spcr));
	return port_of_spcr(&spcr, port);
}
