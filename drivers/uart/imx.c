/* SPDX-License-Identifier: BSD-2-Clause */
/* NXP's UART of i.MX 6 to 8. Source: i.MX 8M Mini Applications Processor Reference Manual, 16.2.8 "UART Memory Map". */
#include "drivers/uart.h"

enum { IMX_URXD = 0x00, IMX_UTXD = 0x40, IMX_UCR1 = 0x80, IMX_USR2 = 0x98, IMX_UTS = 0xb4 };

enum {
	IMX_UTS_TXFULL = 0x10,
	IMX_USR2_RDR = 0x01,          /* at least one byte has come */
	IMX_UCR1_INTERRUPTS = 0x336c, /* TRDYEN, IDEN, RRDYEN, TXMPTYEN, RTSDEN, and requests for DMA */
};

static const struct uart_compatible compatibles[] = {
	{ .name = "fsl,imx6q-uart" }, /* all later ones have this name too */
	{ .name = "fsl,imx53-uart" },
	{ .name = "fsl,imx21-uart" },
	{ 0 },
};

static const struct uart_subtype subtypes[] = {
	{ .number = 0x0c },
};

static const struct uart_layout layouts[] = {
	{
		.width = 4,
		.send = IMX_UTXD,
		.take = IMX_URXD,
		.room = { IMX_UTS, IMX_UTS_TXFULL, false },
		.came = { IMX_USR2, IMX_USR2_RDR, true },
		.start = { { IMX_UCR1, IMX_UCR1_INTERRUPTS, 0 } },
	},
};

const struct uart_driver uart_imx = {
	.compatibles = compatibles,
	.subtypes = subtypes,
	.subtype_count = ARRAY_LEN(subtypes),
	UART_BY_LAYOUT(layouts),
};
