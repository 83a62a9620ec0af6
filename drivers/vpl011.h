/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated PL011 UART that a guest prints to: always ready to send, never receives; its interrupt line goes nowhere.
 * Source: PrimeCell UART (PL011) Technical Reference Manual, ARM DDI 0183, chapter 3.
 */
#ifndef NESTLING_DRIVERS_VPL011_H
#define NESTLING_DRIVERS_VPL011_H

#include "drivers/io.h"

struct vpl011 {
	struct io_device device;
	uint32_t ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
};

/* Set up at guest-physical `base`, in its reset state. What the guest sends goes to the console. */
void vpl011_init(struct vpl011 *uart, uint64_t base);

#endif
