/* SPDX-License-Identifier: BSD-2-Clause */
/* Drivers of serial ports, all by polling, none with an interrupt. serial.c picks one. */
#ifndef NESTLING_DRIVERS_UART_H
#define NESTLING_DRIVERS_UART_H

#include "drivers/serial.h"

struct uart_driver {
	/* Interrupts off; line settings stay what the firmware made of them, but for a divisor that is asked for. */
	void (*init)(const struct serial_port *port);
	/* Is there room for another byte? */
	bool (*ready)(const struct serial_port *port);
	void (*put)(const struct serial_port *port, uint8_t byte);
};

extern const struct uart_driver uart_16550, uart_pl011;

#endif
