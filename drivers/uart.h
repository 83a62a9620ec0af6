/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drivers of serial ports, all by polling, in both directions. A new driver is a file of its own in drivers/uart/ and a line in the
 * list of each ISA whose machines have it (drivers/<isa>/uarts.c); it lists the names that the firmware's tables have for its
 * device.
 */
#ifndef NESTLING_DRIVERS_UART_H
#define NESTLING_DRIVERS_UART_H

#include "drivers/serial.h"

/* What a device tree's "compatible" calls it; the more special name comes first. */
struct uart_compatible {
	const char *name;
	uint8_t shift, width; /* spacing and width of registers where the node does not say */
	uint8_t variant;      /* the driver's own */
	bool unnamed; /* it may be the console also where the tree does not name one: its registers answer, whatever it is for */
};

/* The serial subtypes that ACPI's SPCR and DBG2 have: Microsoft, "Debug Port Table 2", table 3. */
struct uart_subtype {
	uint8_t number;
	uint8_t offset;       /* of the registers from the address that the table has */
	uint8_t shift, width; /* width 0: as the address structure says */
	uint8_t variant;
};

/* Of a register: the bits of `clear` go, those of `set` come. Neither: it is not touched. */
struct uart_change {
	uint16_t at;
	uint32_t clear, set;
};

/* A register, and the bits in it that say "yes" when any of them is set, or when none is. */
struct uart_flag {
	uint16_t at;
	uint32_t mask;
	bool is_set;
};

/* A device that takes a byte for a store and gives one for a load. Registers are at fixed offsets in one page. */
struct uart_layout {
	uint8_t width;      /* bytes of each access, 1, 2 or 4 */
	uint8_t data_width; /* the same of the data registers; 0: as of the others */
	bool big_endian;
	uint16_t send, take;         /* the data registers; what is above the byte taken is errors */
	struct uart_flag room, came; /* one more byte may be sent; one has come. If `came` is in `take` itself, it is read once */
	struct uart_change start[2]; /* interrupts are off, FIFOs are on */
	struct uart_change sent, taken; /* after each byte */
};

struct uart_driver {
	const struct uart_compatible *compatibles; /* up to one without a name */
	const struct uart_subtype *subtypes;
	size_t subtype_count;
	/* The number of registers, which are as far apart as the tables say; 0: at fixed offsets in one page, never I/O ports. */
	uint8_t registers;
	const struct uart_layout *layouts; /* for the functions below, by variant */

	/* Disable interrupts. The firmware's line settings are kept, except for a divisor that is not 0. */
	void (*init)(const struct serial_port *port);
	/* Is there room for another byte? */
	bool (*ready)(const struct serial_port *port);
	void (*put)(const struct serial_port *port, uint8_t byte);
	/* Take the first byte that has come. False: there is none. */
	bool (*take)(const struct serial_port *port, uint8_t *byte);
};

/* The four functions of a device that a layout describes. */
void uart_layout_init(const struct serial_port *port);
bool uart_layout_ready(const struct serial_port *port);
void uart_layout_put(const struct serial_port *port, uint8_t byte);
bool uart_layout_take(const struct serial_port *port, uint8_t *byte);

#define UART_BY_LAYOUT(of) \
	.layouts = (of), .init = uart_layout_init, .ready = uart_layout_ready, .put = uart_layout_put, .take = uart_layout_take

/* A number of so many bytes in the other byte order. */
static inline uint32_t uart_swap(uint32_t value, unsigned width)
{
	uint32_t swapped = 0;

	for (; width > 0; width--, value >>= 8)
		swapped = swapped << 8 | (value & 0xff);
	return swapped;
}

/* All that the ISA's machines have, up to NULL. */
extern const struct uart_driver *const uart_drivers[];

extern const struct uart_driver uart_16550, uart_armada, uart_cadence, uart_geni, uart_imx, uart_litex, uart_lpuart, uart_meson,
	uart_msm, uart_pl011, uart_samsung, uart_scif, uart_sifive;

#endif
