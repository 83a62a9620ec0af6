/* SPDX-License-Identifier: BSD-2-Clause */
/* The PC's first serial port at its usual place, which no table has to name. */
#include "drivers/uart.h"
#include "include/arch/io.h"
#include "include/arch/x86_64/insn.h"

#define COM1     0x3f8
#define UART_SCR 7 /* scratch register. PC16550D data sheet, "Registers" */

enum { DIVISOR_115200 = 1 };

/* A scratch register that keeps what is written is there; where there is no port, reads float high. */
static bool keeps(uint8_t value)
{
	outb(COM1 + UART_SCR, value);
	return inb(COM1 + UART_SCR) == value;
}

bool arch_serial_default(struct serial_port *port)
{
	*port = (struct serial_port){
		.driver = &uart_16550,
		.by_io_port = true,
		.base = COM1,
		.size = 8,
		.width = 1,
		.divisor = DIVISOR_115200,
	};
	return keeps(0x5a) && keeps(0xa5);
}
