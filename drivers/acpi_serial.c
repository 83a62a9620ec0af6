/* SPDX-License-Identifier: BSD-2-Clause */
/* SPCR names one port, DBG2 a list of them. Tables may lie at any address, so fields are copied out. */
#include "drivers/acpi_serial.h"

#include <string.h>

#include "drivers/uart.h"

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

struct acpi_dbg2 {
	struct acpi_header header;
	uint32_t first, count; /* offset, and number of descriptions */
} __attribute__((packed));

struct dbg2_device {
	uint8_t revision;
	uint16_t length;
	uint8_t addresses;
	uint16_t name_length, name, oem_length, oem;
	uint16_t type, subtype;
	uint16_t reserved, address, address_size; /* offsets from here, of lists of `addresses` */
} __attribute__((packed));

enum { DBG2_SERIAL = 0x8000 };

_Static_assert(sizeof(struct acpi_spcr) == 52 && sizeof(struct acpi_dbg2) == 44 && sizeof(struct dbg2_device) == 22,
	       "the layout of the specification");

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
static enum err port_of(uint8_t subtype, const struct acpi_address *base, struct serial_port *port)
{
	uint8_t width = access_bytes(base->access_size);
	const struct uart_driver *driver;
	const struct uart_subtype *is;

	if (base->space > ACPI_SPACE_IO || base->address == 0 || (base->space == ACPI_SPACE_IO && base->address > UINT16_MAX - 7))
		return ERR_UNSUPPORTED;
	is = find_driver(subtype, &driver);
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
	return port_of(spcr.interface, &spcr.base, port);
}

/* A description, and what it says of its port; the port's first address counts. */
static enum err port_of_device(const char *at, size_t size, struct dbg2_device *device, struct serial_port *port)
{
	struct acpi_address base;

	if (size < sizeof(*device))
		return ERR_CORRUPT;
	memcpy(device, at, sizeof(*device));
	if (device->length < sizeof(*device) || device->length > size)
		return ERR_CORRUPT;
	if (device->type != DBG2_SERIAL || device->subtype > UINT8_MAX || device->addresses == 0)
		return ERR_UNSUPPORTED;
	if (device->address > device->length - sizeof(base))
		return ERR_CORRUPT;
	memcpy(&base, at + device->address, sizeof(base));
	return port_of((uint8_t)device->subtype, &base, port);
}

enum err acpi_find_debug_port(const void *rsdp, acpi_reader reader, struct serial_port *port)
{
	struct dbg2_device device;
	struct acpi_dbg2 dbg2;
	const void *table;
	size_t size, at;
	enum err err = acpi_find_table(rsdp, reader, "DBG2", &table, &size);

	if (err != ERR_OK)
		return err;
	if (size < sizeof(dbg2))
		return ERR_CORRUPT;
	memcpy(&dbg2, table, sizeof(dbg2));
	at = dbg2.first;
	err = ERR_UNSUPPORTED;
	for (uint32_t i = 0; i < dbg2.count && err == ERR_UNSUPPORTED; i++, at += device.length)
		err = at <= size ? port_of_device((const char *)table + at, size - at, &device, port) : ERR_CORRUPT;
	return err;
}
