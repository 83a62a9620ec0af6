/* SPDX-License-Identifier: BSD-2-Clause */
/* An emulated PL011 UART: what a guest sends goes to the console. */
#include "drivers/vpl011.h"

#include "drivers/console.h"
#include "include/types.h"

/* 3.2 "Summary of registers" */
enum {
	UARTDR = 0x000,
	UARTFR = 0x018,
	UARTILPR = 0x020,
	UARTIBRD = 0x024,
	UARTFBRD = 0x028,
	UARTLCR_H = 0x02c,
	UARTCR = 0x030,
	UARTIFLS = 0x034,
	UARTIMSC = 0x038,
	UARTRIS = 0x03c,
	UARTMIS = 0x040,
	UARTICR = 0x044,
	UARTDMACR = 0x048,
	UART_ID = 0xfe0,
	UART_BYTES = 0x1000,
};

enum {
	UARTFR_IDLE = 0x90, /* transmit FIFO empty, receive FIFO empty */
	UARTINT_TX = 0x20,
	UARTCR_RESET = 0x300,
	UARTIFLS_RESET = 0x12,
};

/* UARTPeriphID0 to 3 of revision r1p4 and UARTPCellID0 to 3, one byte in each register. */
static const uint8_t identity[] = { 0x11, 0x10, 0x24, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

/* A register that can be written as well as read, with the bits that it has; NULL for all others. */
static uint32_t *plain_register(struct vpl011 *uart, uint64_t offset, uint32_t *bits)
{
	switch (offset) {
	case UARTILPR:
		*bits = 0xff;
		return &uart->ilpr;
	case UARTIBRD:
		*bits = 0xffff;
		return &uart->ibrd;
	case UARTFBRD:
		*bits = 0x3f;
		return &uart->fbrd;
	case UARTLCR_H:
		*bits = 0xff;
		return &uart->lcr_h;
	case UARTCR:
		*bits = 0xff87;
		return &uart->cr;
	case UARTIFLS:
		*bits = 0x3f;
		return &uart->ifls;
	case UARTIMSC:
		*bits = 0x7ff;
		return &uart->imsc;
	case UARTDMACR:
		*bits = 0x7;
		return &uart->dmacr;
	default:
		return NULL;
	}
}

static uint32_t read_register(struct vpl011 *uart, uint64_t offset)
{
	uint32_t bits, *plain = plain_register(uart, offset, &bits);

	if (plain)
		return *plain;
	switch (offset) {
	case UARTFR:
		return UARTFR_IDLE;
	case UARTRIS:
		return uart->ris;
	case UARTMIS:
		return uart->ris & uart->imsc;
	default: /* UARTDR and UARTRSR: nothing is ever received, and nothing goes wrong */
		return offset >= UART_ID && offset < UART_BYTES ? identity[(offset - UART_ID) / 4] : 0;
	}
}

static void write_register(struct vpl011 *uart, uint64_t offset, uint32_t value)
{
	uint32_t bits, *plain = plain_register(uart, offset, &bits);
	const char byte = (char)value;

	if (plain)
		*plain = value & bits;
	else if (offset == UARTICR)
		uart->ris &= ~value;
	else if (offset == UARTDR) {
		if (byte != '\r') /* the console makes its own */
			console_write(&byte, 1);
		uart->ris |= UARTINT_TX; /* it is sent at once */
	}
}

/* Registers are words on a bus of 32 bits: narrow writes write the whole register, as the peripheral bus does. */
static void uart_access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vpl011 *uart = CONTAINER_OF(device, struct vpl011, device);
	unsigned shift = 8 * (unsigned)(offset & 3);

	offset = align_down(offset, 4);
	if (io->write)
		write_register(uart, offset, (uint32_t)(io->value << shift));
	else
		io->value = (uint64_t)read_register(uart, offset) >> shift &
			    ~UINT64_C(0) >> (64 - 8 * io->size);
}

void vpl011_init(struct vpl011 *uart, uint64_t base)
{
	*uart = (struct vpl011){
		.device = { .space = IO_MEMORY, .base = base, .size = UART_BYTES, .access = uart_access },
		.cr = UARTCR_RESET,
		.ifls = UARTIFLS_RESET,
	};
}
