/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated 16550A UART that a guest prints to: always ready to send. It receives what is typed for the VM, and in loop mode what
 * it sends itself.
 * Source: National Semiconductor PC16550D data sheet, "Registers".
 */
#ifndef NESTLING_VMM_DEVICES_V16550_H
#define NESTLING_VMM_DEVICES_V16550_H

#include "vmm/devices/device.h"

#define V16550_FIFO 16

struct v16550 {
	struct io_device device;
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t divisor[2];
	uint8_t lsr;             /* errors, until they are read */
	uint8_t msr;             /* lines, and which have changed since they were read */
	bool thre;               /* "transmitter empty" is pending as an interrupt */
	uint8_t rx[V16550_FIFO]; /* received: a ring */
	uint8_t rx_first, rx_count;
	uint8_t polls; /* reads of LSR since the last write, up to CONSOLE_POLLS */
};

/* Set up at `base` of `space`, in its reset state; it drives `line` of the VM's interrupt controller. */
void v16550_init(struct v16550 *uart, enum io_space space, uint64_t base, unsigned line);

#endif
