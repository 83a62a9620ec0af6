/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's first serial port, a 16550 at its usual place. Source: PC16550D data sheet, "Registers".
 */
#include "drivers/console.h"
#include "include/arch/machine.h"
#include "include/arch/x86_64/insn.h"

#define COM1 0x3f8

enum {
	UART_DATA = 0, /* and divisor, low byte */
	UART_IER = 1,  /* and divisor, high byte */
	UART_FCR = 2,
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_SCR = 7,
};

enum {
	UART_FCR_ENABLE_AND_CLEAR = 0x07,
	UART_LCR_8N1 = 0x03,
	UART_LCR_DLAB = 0x80,
	UART_MCR_DTR_RTS = 0x03,
	UART_LSR_THRE = 0x20, /* room for a byte */
	UART_DIVISOR_115200 = 1,
	/* A port that never has room must not hang us; at 115200 baud a byte takes 87 us. */
	UART_SPINS = 100000,
};

static void serial_put(uint8_t byte)
{
	for (unsigned spins = 0; spins < UART_SPINS && !(inb(COM1 + UART_LSR) & UART_LSR_THRE); spins++)
		;
	outb(COM1 + UART_DATA, byte);
}

static void serial_write(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			serial_put('\r');
		serial_put((uint8_t)bytes[i]);
	}
}

/* A scratch register that keeps what is written is there; where there is no port, reads float high. */
static bool keeps(uint8_t value)
{
	outb(COM1 + UART_SCR, value);
	return inb(COM1 + UART_SCR) == value;
}

bool arch_console_init(void)
{
	if (!keeps(0x5a) || !keeps(0xa5))
		return false;
	outb(COM1 + UART_IER, 0);
	outb(COM1 + UART_LCR, UART_LCR_DLAB);
	outb(COM1 + UART_DATA, UART_DIVISOR_115200);
	outb(COM1 + UART_IER, UART_DIVISOR_115200 >> 8);
	outb(COM1 + UART_LCR, UART_LCR_8N1);
	outb(COM1 + UART_FCR, UART_FCR_ENABLE_AND_CLEAR);
	outb(COM1 + UART_MCR, UART_MCR_DTR_RTS);
	console_set_sink(serial_write);
	return true;
}
