/* SPDX-License-Identifier: BSD-2-Clause */
/* SiFive's UART. Source: SiFive FU540-C000 Manual, chapter 13 "Universal Asynchronous Receiver/Transmitter (UART)". */
#include "drivers/uart.h"

enum { SIFIVE_TXDATA = 0x00, SIFIVE_RXDATA = 0x04, SIFIVE_IE = 0x10 };

#define SIFIVE_FULL_OR_EMPTY 0x80000000u

static const struct uart_compatible compatibles[] = {
	{ .name = "sifive,uart0" },
	{ 0 },
};

static const struct uart_layout layouts[] = {
	{
		.width = 4,
		.send = SIFIVE_TXDATA,
		.take = SIFIVE_RXDATA,
		.room = { SIFIVE_TXDATA, SIFIVE_FULL_OR_EMPTY, false },
		.came = { SIFIVE_RXDATA, SIFIVE_FULL_OR_EMPTY, false },
		.start = { { SIFIVE_IE, UINT32_MAX, 0 } },
	},
};

const struct uart_driver uart_sifive = {
	.compatibles = compatibles,
	UART_BY_LAYOUT(layouts),
};
