/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two UARTs of Marvell's Armada 3700. Sources: the bindings serial/mvebu-uart.txt in Linux' Documentation/devicetree/bindings;
 * 88F3720 Functional Specification, "UART1 registers", "UART2 registers".
 */
#include "drivers/uart.h"

enum { STANDARD, EXTENDED };

enum { ARMADA_CONTROL = 0x08, ARMADA_STATUS = 0x0c, ARMADA_CONTROL_2 = 0x20 };

enum {
	ARMADA_STATUS_RX_READY = 1 << 4,
	ARMADA_STATUS_TX_FULL = 1 << 11,
	ARMADA_STATUS_RX_READY_EXT = 1 << 14,
	ARMADA_CONTROL_INTERRUPTS = 0x1ff,
	ARMADA_CONTROL_2_INTERRUPTS = 0x60, /* for input and output */
};

static const struct uart_compatible compatibles[] = {
	{ .name = "marvell,armada-3700-uart-ext", .variant = EXTENDED },
	{ .name = "marvell,armada-3700-uart", .variant = STANDARD },
	{ 0 },
};

static const struct uart_layout layouts[] = {
	[STANDARD] = {
		.width = 4,
		.send = 0x04,
		.take = 0x00,
		.room = { ARMADA_STATUS, ARMADA_STATUS_TX_FULL, false },
		.came = { ARMADA_STATUS, ARMADA_STATUS_RX_READY, true },
		.start = { { ARMADA_CONTROL, ARMADA_CONTROL_INTERRUPTS, 0 } },
	},
	[EXTENDED] = {
		.width = 4,
		.send = 0x1c,
		.take = 0x18,
		.room = { ARMADA_STATUS, ARMADA_STATUS_TX_FULL, false },
		.came = { ARMADA_STATUS, ARMADA_STATUS_RX_READY_EXT, true },
		.start = { { ARMADA_CONTROL, ARMADA_CONTROL_INTERRUPTS, 0 }, { ARMADA_CONTROL_2, ARMADA_CONTROL_2_INTERRUPTS, 0 } },
	},
};

const struct uart_driver uart_armada = {
	.compatibles = compatibles,
	UART_BY_LAYOUT(layouts),
};
