/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated 16550A UART that a guest prints to: always ready to send, never receives, raises no interrupt.
 * Source: National Semiconductor PC16550D data sheet, "Registers".
 */
#ifndef NESTLING_DRIVERS_VUART_H
#define NESTLING_DRIVERS_VUART_H

#include "drivers/io.h"

struct vuart {
	struct io_device device;
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t divisor[2];
};

/* Set up at `base` of `space`, in its reset state. What the guest sends goes to the console. */
void vuart_init(struct vuart *uart, enum io_space space, uint64_t base);

#endif
