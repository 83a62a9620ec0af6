/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drivers of serial ports, all by polling, in both directions. A new driver is a file of its own and a line in uart.c; it lists the
 * names that the firmware's tables have for its device.
 */
#ifndef NESTLING_DRIVERS_UART_H
#define NESTLING_DRIVERS_UART_H

#include "drivers/serial.h"

/* What a device tree's "compatible" calls it; spacing and width of registers where the node does not say. */
struct uart_compatible {
	const char *name;
	uint8_t shift, width;
};

/* The serial subtypes that ACPI's SPCR has from DBG2: Microsoft, "Debug Port Table 2", table 3. */
struct uart_subtype {
	uint8_t number;
	uint8_t offset; /* of the registers from the address that the table has */
	uint8_t width;  /* bytes of a register and from one to the next; 0: as the address structure says */
};

struct uart_driver {
	const struct uart_compatible *compatibles; /* up to one without a name */
	const struct uart_subtype *subtypes;
	size_t subtype_count;
	/* The number of registers, which are as far apart as the tables say; 0: at fixed offsets in one page, never I/O ports. */
	uint8_t registers;

	/* Disable interrupts. The firmware's line settings are kept, except for a divisor that is not 0. */
	void (*init)(const struct serial_port *port);
	/* Is there room for another byte? */
	bool (*ready)(const struct serial_port *port);
	void (*put)(const struct serial_port *port, uint8_t byte);
	/* Take the first byte that has come. False: there is none. */
	bool (*take)(const struct serial_port *port, uint8_t *byte);
};

/* All of them, up to NULL. */
extern const struct uart_driver *const uart_drivers[];

extern const struct uart_driver uart_16550, uart_pl011;

#endif
