/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's PL011, and the SBSA generic UART, which has some of its registers; 32-bit accesses suit all of them. Sources: PrimeCell
 * UART (PL011) Technical Reference Manual, ARM DDI 0183, 3.2 "Summary of registers"; Server Base System Architecture, "Generic
 * UART".
 */
#include "drivers/uart.h"

enum { PL011_DR = 0x00, PL011_FR = 0x18, PL011_IMSC = 0x38 };

enum {
	PL011_FR_RXFE = 0x10, /* receive FIFO empty */
	PL011_FR_TXFF = 0x20, /* transmit FIFO full */
};

static const struct uart_compatible compatibles[] = {
	{ .name = "arm,pl011", .unnamed = true },
	{ .name = "arm,pl011-axi", .unnamed = true },
	{ .name = "arm,sbsa-uart", .unnamed = true },
	{ .name = "brcm,bcm2835-pl011" },
	{ 0 },
};

static const struct uart_subtype subtypes[] = {
	{ .number = 0x03 },
	{ .number = 0x0d }, /* for 32-bit accesses only */
	{ .number = 0x0e },
};

static const struct uart_layout layouts[] = {
	{
		.width = 4,
		.send = PL011_DR,
		.take = PL011_DR,
		.room = { PL011_FR, PL011_FR_TXFF, false },
		.came = { PL011_FR, PL011_FR_RXFE, false },
		.start = { { PL011_IMSC, UINT32_MAX, 0 } },
	},
};

const struct uart_driver uart_pl011 = {
	.compatibles = compatibles,
	.subtypes = subtypes,
	.subtype_count = ARRAY_LEN(subtypes),
	UART_BY_LAYOUT(layouts),
};
