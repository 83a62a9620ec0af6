/* SPDX-License-Identifier: BSD-2-Clause */
/* Cadence's UART, in Xilinx' Zynq and its children. Source: Zynq UltraScale+ Devices Register Reference (UG1087), "UART Module". */
#include "drivers/uart.h"

enum { CADENCE_IDR = 0x0c, CADENCE_SR = 0x2c, CADENCE_FIFO = 0x30 };

enum {
	CADENCE_IDR_ALL = 0x1fff, /* a one disables */
	CADENCE_SR_RXEMPTY = 0x02,
	CADENCE_SR_TXFULL = 0x10,
};

static const struct uart_compatible compatibles[] = {
	{ .name = "cdns,uart-r1p12" },
	{ .name = "cdns,uart-r1p8" },
	{ .name = "xlnx,xuartps" },
	{ 0 },
};

static const struct uart_layout layouts[] = {
	{
		.width = 4,
		.send = CADENCE_FIFO,
		.take = CADENCE_FIFO,
		.room = { CADENCE_SR, CADENCE_SR_TXFULL, false },
		.came = { CADENCE_SR, CADENCE_SR_RXEMPTY, false },
		.start = { { CADENCE_IDR, UINT32_MAX, CADENCE_IDR_ALL } },
	},
};

const struct uart_driver uart_cadence = {
	.compatibles = compatibles,
	UART_BY_LAYOUT(layouts),
};
