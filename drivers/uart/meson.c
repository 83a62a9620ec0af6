/* SPDX-License-Identifier: BSD-2-Clause */
/* Amlogic's UART. Source: S905 Datasheet, 45.3 "UART Register Description". */
#include "drivers/uart.h"

enum { MESON_WFIFO = 0x00, MESON_RFIFO = 0x04, MESON_CONTROL = 0x08, MESON_STATUS = 0x0c };

enum {
	MESON_CONTROL_INTERRUPTS = 3 << 27, /* for input and output */
	MESON_STATUS_RX_EMPTY = 1 << 20,
	MESON_STATUS_TX_FULL = 1 << 21,
};

static const struct uart_compatible compatibles[] = {
	{ .name = "amlogic,meson-ao-uart" },
	{ .name = "amlogic,meson-gx-uart" },
	{ .name = "amlogic,meson-s4-uart" },
	{ .name = "amlogic,meson-g12a-uart" },
	{ 0 },
};

static const struct uart_layout layouts[] = {
	{
		.width = 4,
		.send = MESON_WFIFO,
		.take = MESON_RFIFO,
		.room = { MESON_STATUS, MESON_STATUS_TX_FULL, false },
		.came = { MESON_STATUS, MESON_STATUS_RX_EMPTY, false },
		.start = { { MESON_CONTROL, MESON_CONTROL_INTERRUPTS, 0 } },
	},
};

const struct uart_driver uart_meson = {
	.compatibles = compatibles,
	UART_BY_LAYOUT(layouts),
};
