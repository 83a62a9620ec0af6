/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Renesas' UART with FIFOs. A flag that has been read as 1 is cleared by a 0. Source: R-Car Series, 3rd Generation, User's Manual:
 * Hardware, chapter 52 "Serial Communication Interface with FIFO (SCIF)"; RZ/G2L Group User's Manual, chapter 22 "SCIFA".
 */
#include "drivers/uart.h"

enum { RCAR, RZ };

enum {
	SCSCR_INTERRUPTS = 0xc8, /* TIE, RIE, REIE */
	SCFSR_DR = 0x01,
	SCFSR_RDF = 0x02,
	SCFSR_TDFE = 0x20, /* few bytes wait to be sent */
	SCFSR_TEND = 0x40,
	SCFDR_RECEIVED = 0x1f, /* so many wait to be taken */
};

#define SCIF(control, transmit, status, receive, count)                                                             \
	.width = 2, .data_width = 1, .send = (transmit), .take = (receive), .room = { (status), SCFSR_TDFE, true }, \
	.came = { (count), SCFDR_RECEIVED, true }, .start = { { (control), SCSCR_INTERRUPTS, 0 } },                 \
	.sent = { (status), SCFSR_TDFE | SCFSR_TEND, 0 }, .taken = { (status), SCFSR_RDF | SCFSR_DR, 0 }

static const struct uart_compatible compatibles[] = {
	{ .name = "renesas,rcar-gen3-scif", .variant = RCAR },
	{ .name = "renesas,rcar-gen4-scif", .variant = RCAR },
	{ .name = "renesas,scif-r9a07g044", .variant = RZ },
	{ 0 },
};

static const struct uart_layout layouts[] = {
	[RCAR] = { SCIF(0x08, 0x0c, 0x10, 0x14, 0x1c) },
	[RZ] = { SCIF(0x04, 0x06, 0x08, 0x0a, 0x0e) },
};

const struct uart_driver uart_scif = {
	.compatibles = compatibles,
	UART_BY_LAYOUT(layouts),
};
