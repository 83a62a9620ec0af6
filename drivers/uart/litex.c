/* SPDX-License-Identifier: BSD-2-Clause */
/* LiteX' UART. Source: LiteX, litex/soc/cores/uart.py, and csr.csv of its SoCs: registers of 32 bits, a word apart. */
#include "drivers/uart.h"

enum { LITEX_RXTX = 0x00, LITEX_TXFULL = 0x04, LITEX_RXEMPTY = 0x08, LITEX_EV_PENDING = 0x10, LITEX_EV_ENABLE = 0x14 };

enum { LITEX_EV_RX = 2 };

static const struct uart_compatible compatibles[] = {
	{ .name = "litex,liteuart" },
	{ 0 },
};

static const struct uart_layout layouts[] = {
	{
		.width = 4,
		.send = LITEX_RXTX,
		.take = LITEX_RXTX,
		.room = { LITEX_TXFULL, 1, false },
		.came = { LITEX_RXEMPTY, 1, false },
		.start = { { LITEX_EV_ENABLE, UINT32_MAX, 0 } },
		.taken = { LITEX_EV_PENDING, UINT32_MAX, LITEX_EV_RX }, /* the next byte comes to RXTX */
	},
};

const struct uart_driver uart_litex = {
	.compatibles = compatibles,
	UART_BY_LAYOUT(layouts),
};
