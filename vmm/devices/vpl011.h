/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated PL011 UART that a guest prints to: always ready to send. It receives what is typed for the VM, and in loop back mode
 * what it sends itself.
 * Source: PrimeCell UART (PL011) Technical Reference Manual, ARM DDI 0183, chapter 3.
 */
#ifndef NESTLING_VMM_DEVICES_VPL011_H
#define NESTLING_VMM_DEVICES_VPL011_H

#include "vmm/devices/device.h"

#define VPL011_FIFO 16

struct vpl011 {
	struct io_device device;
	uint32_t ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
	uint32_t lines;           /* of the modem, as UARTFR has them */
	uint32_t rsr;             /* errors, until they are cleared */
	uint16_t rx[VPL011_FIFO]; /* received, with the errors of each: a ring */
	uint8_t rx_first, rx_count;
	uint8_t polls; /* reads of UARTFR since the last write, up to CONSOLE_POLLS */
	bool overrun;  /* the last character found no room */
};

/* Set up at guest-physical `base`, in its reset state; it drives `line` of the VM's interrupt controller. */
void vpl011_init(struct vpl011 *uart, uint64_t base, unsigned line);

#endif
