/* SPDX-License-Identifier: BSD-2-Clause */
/* What each ISA offers to drivers: I/O ports, and the console it has by itself. */
#ifndef NESTLING_IO_CONTRACT_H
#define NESTLING_IO_CONTRACT_H

#include "drivers/serial.h"
#include "include/types.h"

/* One byte of an I/O port. Where the ISA has no ports, reads give all ones and writes go nowhere. */
uint8_t arch_port_read(uint16_t port);
void arch_port_write(uint16_t port, uint8_t value);

/*
 * The serial port to use if the firmware's tables name none that has a driver: a fixed port that was probed for, or calls to
 * firmware that stays resident. False: there is none.
 */
bool arch_serial_default(struct serial_port *port);

#endif
