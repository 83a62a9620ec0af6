/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's PL011, and the SBSA generic UART, which has some of its registers. Sources: PrimeCell UART (PL011) Technical
 * Reference Manual, ARM DDI 0183, 3.2 "Summary of registers"; Server Base System Architecture, "Generic UART".
 */
#include "drivers/uart.h"
#include "include/mmio.h"

enum {
	PL011_DR = 0x00,
	PL011_FR = 0x18,
	PL011_IMSC = 0x38,
};

enum {
	PL011_FR_RXFE = 0x10, /* receive FIFO empty */
	PL011_FR_TXFF = 0x20, /* transmit FIFO full */
};

static void init(const struct serial_port *port)
{
	mmio_write32(port->base + PL011_IMSC, 0);
}

static bool ready(const struct serial_port *port)
{
	return !(mmio_read32(port->base + PL011_FR) & PL011_FR_TXFF);
}

static void put(const struct serial_port *port, uint8_t byte)
{
	mmio_write32(port->base + PL011_DR, byte);
}

/* DR has what is wrong with the byte above it. */
static bool take(const struct serial_port *port, uint8_t *byte)
{
	if (mmio_read32(port->base + PL011_FR) & PL011_FR_RXFE)
		return false;
	*byte = (uint8_t)mmio_read32(port->base + PL011_DR);
	return true;
}

static const struct uart_compatible compatibles[] = { { "arm,pl011", 0, 0 }, { "arm,sbsa-uart", 0, 0 }, { NULL, 0, 0 } };

/* The table has a subtype for ports with 32-bit accesses only; the driver uses 32-bit accesses for all. */
static const struct uart_subtype subtypes[] = { { 0x03, 0, 0 }, { 0x0d, 0, 0 }, { 0x0e, 0, 0 } };

const struct uart_driver uart_pl011 = {
	.compatibles = compatibles,
	.subtypes = subtypes,
	.subtype_count = ARRAY_LEN(subtypes),
	.init = init,
	.ready = ready,
	.put = put,
	.take = take,
};
