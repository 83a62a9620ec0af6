/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port that is the console after the boot services: found in the firmware's tables, driven by polling. */
#ifndef NESTLING_DRIVERS_SERIAL_H
#define NESTLING_DRIVERS_SERIAL_H

#include "drivers/console.h"
#include "drivers/platform.h"
#include "include/types.h"

struct uart_driver;

struct serial_port {
	const struct uart_driver *driver; /* NULL: no device of ours, `sink` calls the firmware for each piece of text */
	bool by_io_port;                  /* else in memory */
	uint64_t base;                    /* of register 0: host-physical, or an I/O port */
	uint64_t size;                    /* bytes of registers */
	uint8_t shift;                    /* registers are 1 << shift bytes apart */
	uint8_t width;                    /* bytes of an access: 1, 2 or 4 */
	uint8_t variant;                  /* the driver's own */
	bool big_endian;                  /* 16550: of accesses wider than a byte */
	uint16_t divisor;                 /* 16550: to be set; 0: as the firmware has left it */
	console_sink sink;                /* where there is no driver */
};

/* Can such a port exist at this address? If not, it logs why. */
typedef bool (*serial_filter)(const struct serial_port *port);

/*
 * Where is the console? ACPI's SPCR says, or the device tree's /chosen, or else what the ISA has by itself: the first of
 * these that is `accepted`. ACPI's tables must be readable. False: there is none.
 */
bool serial_find(const struct platform *platform, serial_filter accepted, struct serial_port *port);

/*
 * What may be the console where nothing else is, a screen included: a port for a debugger, by ACPI's DBG2, to which nothing need be
 * connected that a person can read; or the device tree's first one. False: there is none.
 */
bool serial_guess(const struct platform *platform, serial_filter accepted, struct serial_port *port);

/*
 * Make the port the console's sink; its registers must be mapped one to one, now and after each switch of maps. A write waits for a
 * bounded time only, even if the port never becomes ready.
 */
void serial_start(const struct serial_port *port);

/* Is there a port started whose input can be read? Not where the firmware writes for us. */
bool serial_takes_input(void);

/*
 * Take the first byte that has come at that port; never waits. False: there is none. By one CPU at a time, whatever others write
 * meanwhile. What is not taken stays in the port, as far as that has room.
 */
bool serial_read(uint8_t *byte);

/* The pages to map as device memory for the port, 4 KiB aligned; size 0 when it needs none. */
void serial_region(const struct serial_port *port, hpa_t *start, uint64_t *size);

#endif
