/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samsung's UART in Exynos and, without a mask of interrupts, in Apple's SoCs. Sources: Exynos 5250 User's Manual, 28.6 "Register
 * description" of UART; Asahi Linux, m1n1, src/uart_regs.h.
 */
#include "drivers/uart.h"

enum { EXYNOS, APPLE };

enum { UCON = 0x04, UFCON = 0x08, UTRSTAT = 0x10, UFSTAT = 0x18, UTXH = 0x20, URXH = 0x24, UINTM = 0x38 };

enum {
	UCON_INTERRUPTS = 0x3a00, /* Apple's: RXTO, RXTHRESH, TXTHRESH, RXTO_LEGACY */
	UFCON_FIFO = 1,
	UTRSTAT_RX_READY = 1,
	UTRSTAT_TX_EMPTY = 2,
	UFSTAT_RX_COUNT = 0xff,
	UFSTAT_RX_FULL = 1 << 8,
	UFSTAT_TX_FULL = 1 << 24,
	UINTM_ALL = 0xf,
};

static const struct uart_compatible compatibles[] = {
	{ .name = "samsung,exynos4210-uart", .variant = EXYNOS }, { .name = "samsung,exynos5433-uart", .variant = EXYNOS },
	{ .name = "samsung,exynos850-uart", .variant = EXYNOS },  { .name = "samsung,exynos8895-uart", .variant = EXYNOS },
	{ .name = "google,gs101-uart", .variant = EXYNOS },       { .name = "axis,artpec8-uart", .variant = EXYNOS },
	{ .name = "apple,s5l-uart", .variant = APPLE },           { 0 },
};

static const struct uart_subtype subtypes[] = {
	{ .number = 0x0a, .variant = EXYNOS },
};

static const struct uart_layout layouts[] = {
	[EXYNOS] = {
		.width = 4,
		.send = UTXH,
		.take = URXH,
		.room = { UFSTAT, UFSTAT_TX_FULL, false },
		.came = { UFSTAT, UFSTAT_RX_FULL | UFSTAT_RX_COUNT, true },
		.start = { { UINTM, 0, UINTM_ALL }, { UFCON, 0, UFCON_FIFO } },
	},
	[APPLE] = {
		.width = 4,
		.send = UTXH,
		.take = URXH,
		.room = { UTRSTAT, UTRSTAT_TX_EMPTY, true },
		.came = { UTRSTAT, UTRSTAT_RX_READY, true },
		.start = { { UCON, UCON_INTERRUPTS, 0 } },
	},
};

const struct uart_driver uart_samsung = {
	.compatibles = compatibles,
	.subtypes = subtypes,
	.subtype_count = ARRAY_LEN(subtypes),
	UART_BY_LAYOUT(layouts),
};
