/* SPDX-License-Identifier: BSD-2-Clause */
/* An emulated 16550A UART: what a guest sends goes to the console. */
#include "drivers/vuart.h"

#include "drivers/console.h"
#include "include/types.h"

/* Registers by offset; with LCR.DLAB set, 0 and 1 are the divisor. */
enum {
	UART_DATA = 0,
	UART_IER = 1,
	UART_IIR = 2, /* read */
	UART_FCR = 2, /* write */
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_MSR = 6,
	UART_SCR = 7,
	UART_REGISTERS = 8,
};

enum {
	UART_IIR_NONE = 0x01,     /* no interrupt pending */
	UART_IIR_FIFOS_ON = 0xc0,
	UART_FCR_ENABLE = 0x01,
	UART_LCR_DLAB = 0x80,
	UART_LSR_IDLE = 0x60,     /* holding register and transmitter empty */
	UART_MSR_READY = 0xb0,    /* DCD, DSR, CTS: somebody listens */
};

static uint8_t uart_read(const struct vuart *uart, uint64_t offset)
{
	if ((uart->lcr & UART_LCR_DLAB) && offset <= 1)
		return uart->divisor[offset];
	switch (offset) {
	case UART_IER:
		return uart->ier;
	case UART_IIR:
		return (uint8_t)(UART_IIR_NONE | (uart->fcr & UART_FCR_ENABLE ? UART_IIR_FIFOS_ON : 0));
	case UART_LCR:
		return uart->lcr;
	case UART_MCR:
		return uart->mcr;
	case UART_LSR:
		return UART_LSR_IDLE;
	case UART_MSR:
		return UART_MSR_READY;
	case UART_SCR:
		return uart->scr;
	default: /* UART_DATA: nothing is ever received */
		return 0;
	}
}

static void uart_write(struct vuart *uart, uint64_t offset, uint8_t value)
{
	const char byte = (char)value;

	if ((uart->lcr & UART_LCR_DLAB) && offset <= 1) {
		uart->divisor[offset] = value;
		return;
	}
	switch (offset) {
	case UART_DATA:
		if (value != '\r') /* the console makes its own */
			console_write(&byte, 1);
		break;
	case UART_IER:
		uart->ier = value & 0x0f;
		break;
	case UART_FCR:
		uart->fcr = value;
		break;
	case UART_LCR:
		uart->lcr = value;
		break;
	case UART_MCR:
		uart->mcr = value & 0x1f;
		break;
	case UART_SCR:
		uart->scr = value;
		break;
	default: /* status registers are read only */
		break;
	}
}

/* Wider accesses reach the registers that follow, as on a bus of 8 bits. */
static void uart_access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vuart *uart = CONTAINER_OF(device, struct vuart, device);
	uint64_t value = 0;

	for (unsigned i = 0; i < io->size; i++) {
		if (offset + i >= UART_REGISTERS)
			value |= UINT64_C(0xff) << (8 * i);
		else if (io->write)
			uart_write(uart, offset + i, (uint8_t)(io->value >> (8 * i)));
		else
			value |= (uint64_t)uart_read(uart, offset + i) << (8 * i);
	}
	if (!io->write)
		io->value = value;
}

void vuart_init(struct vuart *uart, enum io_space space, uint64_t base)
{
	*uart = (struct vuart){
		.device = { .space = space, .base = base, .size = UART_REGISTERS, .access = uart_access },
	};
}
