/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NXP's low power UART, with registers of 32 bits, in two places, or of 8 bits. Sources: i.MX 8ULP Processor Reference Manual,
 * "LPUART register descriptions"; QorIQ LS1021A Reference Manual, "LPUART", whose registers are big-endian; Vybrid VF6xx Reference
 * Manual, "UART memory map".
 */
#include "drivers/uart.h"

enum { AT_16, AT_0, AT_0_BIG_ENDIAN, BYTES };

/* From BAUD on. */
enum { LPUART_STAT = 0x04, LPUART_CTRL = 0x08, LPUART_DATA = 0x0c };

enum {
	LPUART_STAT_TDRE = 1 << 23,
	LPUART_STAT_RDRF = 1 << 21,
	LPUART_CTRL_INTERRUPTS = 0xf << 20, /* TIE, TCIE, RIE, ILIE */
};

enum { UART_C2 = 0x03, UART_S1 = 0x04, UART_D = 0x07 };

enum {
	UART_S1_TDRE = 0x80,
	UART_S1_RDRF = 0x20,
	UART_C2_INTERRUPTS = 0xf0, /* TIE, TCIE, RIE, ILIE */
};

#define LPUART(base)                                                                                                        \
	.width = 4, .send = (base) + LPUART_DATA, .take = (base) + LPUART_DATA,                                             \
	.room = { (base) + LPUART_STAT, LPUART_STAT_TDRE, true }, .came = { (base) + LPUART_STAT, LPUART_STAT_RDRF, true }, \
	.start = { { (base) + LPUART_CTRL, LPUART_CTRL_INTERRUPTS, 0 } }

static const struct uart_compatible compatibles[] = {
	{ .name = "fsl,imx7ulp-lpuart", .variant = AT_16 }, { .name = "fsl,imx8qxp-lpuart", .variant = AT_16 },
	{ .name = "fsl,imx8ulp-lpuart", .variant = AT_16 }, { .name = "fsl,imxrt1050-lpuart", .variant = AT_16 },
	{ .name = "fsl,ls1028a-lpuart", .variant = AT_0 },  { .name = "fsl,ls1021a-lpuart", .variant = AT_0_BIG_ENDIAN },
	{ .name = "fsl,vf610-lpuart", .variant = BYTES },   { 0 },
};

static const struct uart_layout layouts[] = {
	[AT_16] = { LPUART(0x10) },
	[AT_0] = { LPUART(0x00) },
	[AT_0_BIG_ENDIAN] = { .big_endian = true, LPUART(0x00) },
	[BYTES] = {
		.width = 1,
		.send = UART_D,
		.take = UART_D,
		.room = { UART_S1, UART_S1_TDRE, true },
		.came = { UART_S1, UART_S1_RDRF, true },
		.start = { { UART_C2, UART_C2_INTERRUPTS, 0 } },
	},
};

const struct uart_driver uart_lpuart = {
	.compatibles = compatibles,
	UART_BY_LAYOUT(layouts),
};
