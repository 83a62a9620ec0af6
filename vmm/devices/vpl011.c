/* SPDX-License-Identifier: BSD-2-Clause */
/* An emulated PL011 UART: what a guest sends goes to the console, or in loop back mode back to the guest. */
#include "vmm/devices/vpl011.h"

#include "drivers/console.h"
#include "include/types.h"

/* 3.2 "Summary of registers" */
enum {
	UARTDR = 0x000,
	UARTRSR = 0x004, /* written, UARTECR: clears it */
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
	UARTDR_BREAK = 0x400,
	UARTDR_OVERRUN = 0x800, /* something was lost, and nothing came since */
	UARTRSR_OVERRUN = 0x8,
	UARTFR_CTS = 0x1,
	UARTFR_DSR = 0x2,
	UARTFR_DCD = 0x4,
	UARTFR_RX_EMPTY = 0x10,
	UARTFR_RX_FULL = 0x40,
	UARTFR_TX_EMPTY = 0x80,
	UARTFR_RI = 0x100,
	UARTINT_RI = 0x1,
	UARTINT_CTS = 0x2,
	UARTINT_DCD = 0x4,
	UARTINT_DSR = 0x8,
	UARTINT_RX = 0x10,
	UARTINT_TX = 0x20,
	UARTINT_TIMEOUT = 0x40,
	UARTINT_BREAK = 0x200,
	UARTINT_OVERRUN = 0x400,
	UARTLCR_H_BREAK = 0x1,
	UARTLCR_H_FIFOS = 0x10,
	UARTLCR_H_WORD_SHIFT = 5,
	UARTCR_ENABLE = 0x1,
	UARTCR_LOOP = 0x80,
	UARTCR_TX = 0x100,
	UARTCR_RX = 0x200,
	UARTCR_DTR = 0x400,
	UARTCR_RTS = 0x800,
	UARTCR_OUT1 = 0x1000,
	UARTCR_OUT2 = 0x2000,
	UARTCR_RESET = 0x300,
	UARTIFLS_RX_SHIFT = 3,
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

static unsigned rx_room(const struct vpl011 *uart)
{
	return uart->lcr_h & UARTLCR_H_FIFOS ? VPL011_FIFO : 1;
}

/* 3.3.9 "Interrupt FIFO level select register": 1/8, 1/4, 1/2, 3/4, 7/8 of it; other values are reserved. */
static unsigned rx_trigger(const struct vpl011 *uart)
{
	static const uint8_t eighths[] = { 1, 2, 4, 6, 7, 7, 7, 7 };

	return uart->lcr_h & UARTLCR_H_FIFOS ? VPL011_FIFO * eighths[uart->ifls >> UARTIFLS_RX_SHIFT & 7] / 8 : 1;
}

/*
 * A character and its errors. One too many is lost, and what is there stays valid (3.3.2). As no time passes between two of
 * them, the receive timeout is over at once.
 */
static void receive(struct vpl011 *uart, uint32_t character)
{
	if (uart->rx_count == rx_room(uart)) {
		uart->rsr |= UARTRSR_OVERRUN;
		uart->ris |= UARTINT_OVERRUN;
		uart->overrun = true;
		return;
	}
	uart->overrun = false;
	uart->rx[(uart->rx_first + uart->rx_count++) % VPL011_FIFO] = (uint16_t)character;
	uart->ris |= UARTINT_TIMEOUT;
	if (uart->rx_count >= rx_trigger(uart))
		uart->ris |= UARTINT_RX;
	if (character & UARTDR_BREAK)
		uart->ris |= UARTINT_BREAK;
}

/* The errors of what is read are in UARTRSR as well, but for an overrun, which stays there until it is cleared. */
static uint32_t read_received(struct vpl011 *uart)
{
	uint32_t character = uart->rx[uart->rx_first];

	if (uart->rx_count == 0)
		return 0;
	uart->rx_first = (uint8_t)((uart->rx_first + 1) % VPL011_FIFO);
	uart->rx_count--;
	if (uart->rx_count < rx_trigger(uart))
		uart->ris &= ~(uint32_t)UARTINT_RX;
	if (uart->rx_count == 0)
		uart->ris &= ~(uint32_t)UARTINT_TIMEOUT;
	uart->rsr = (uart->rsr & UARTRSR_OVERRUN) | character >> 8;
	return character | (uart->overrun ? UARTDR_OVERRUN : 0);
}

/* 3.3.8 "Control register", LBE: what is transmitted is received, if both sides are on, and the line stays idle. */
static bool is_looped(const struct vpl011 *uart)
{
	const uint32_t on = UARTCR_ENABLE | UARTCR_TX | UARTCR_RX;

	return (uart->cr & on) == on;
}

/* A word has 5 to 8 bits. Output works without the UART being enabled: programs that print early have only its address. */
static void send(struct vpl011 *uart, uint32_t value)
{
	const char byte = (char)value;

	if (!(uart->cr & UARTCR_LOOP)) {
		if (byte != '\r') /* the console makes its own */
			console_stream_write(uart->device.table->console, &byte, 1);
	} else if (is_looped(uart)) {
		receive(uart, value & 0xff >> (3 - (uart->lcr_h >> UARTLCR_H_WORD_SHIFT & 3)));
	}
	uart->ris |= UARTINT_TX; /* it is sent at once */
}

/* The modem's lines: in loop back mode our own outputs, else no modem. Each that changes is an interrupt. */
static void update_lines(struct vpl011 *uart)
{
	static const struct {
		uint32_t output, line, interrupt;
	} looped[] = {
		{ UARTCR_RTS, UARTFR_CTS, UARTINT_CTS },
		{ UARTCR_DTR, UARTFR_DSR, UARTINT_DSR },
		{ UARTCR_OUT1, UARTFR_DCD, UARTINT_DCD },
		{ UARTCR_OUT2, UARTFR_RI, UARTINT_RI },
	};

	for (size_t i = 0; i < ARRAY_LEN(looped); i++) {
		uint32_t line = (uart->cr & UARTCR_LOOP) && (uart->cr & looped[i].output) ? looped[i].line : 0;

		if ((uart->lines & looped[i].line) == line)
			continue;
		uart->lines ^= looped[i].line;
		uart->ris |= looped[i].interrupt;
	}
}

static uint32_t read_fr(const struct vpl011 *uart)
{
	uint32_t fr = UARTFR_TX_EMPTY | uart->lines;

	if (uart->rx_count == 0)
		fr |= UARTFR_RX_EMPTY;
	if (uart->rx_count == rx_room(uart))
		fr |= UARTFR_RX_FULL;
	return fr;
}

static uint32_t read_register(struct vpl011 *uart, uint64_t offset)
{
	uint32_t bits, *plain = plain_register(uart, offset, &bits);

	if (plain)
		return *plain;
	switch (offset) {
	case UARTDR:
		return read_received(uart);
	case UARTRSR:
		return uart->rsr;
	case UARTFR:
		return read_fr(uart);
	case UARTRIS:
		return uart->ris;
	case UARTMIS:
		return uart->ris & uart->imsc;
	default:
		return offset >= UART_ID && offset < UART_BYTES ? identity[(offset - UART_ID) / 4] : 0;
	}
}

/*
 * What follows from a new value, beside its being there: FIFOs that go are empty, and a break goes round, too. When they come, what
 * is in the holding register stays: Linux' interrupts are on already then, and it would lose what was typed.
 */
static void changed(struct vpl011 *uart, uint64_t offset, uint32_t before)
{
	if (offset == UARTCR)
		update_lines(uart);
	if (offset != UARTLCR_H)
		return;
	if (before & ~uart->lcr_h & UARTLCR_H_FIFOS) {
		uart->rx_count = 0;
		uart->ris &= ~(uint32_t)(UARTINT_RX | UARTINT_TIMEOUT);
	}
	if ((uart->lcr_h & ~before & UARTLCR_H_BREAK) && (uart->cr & UARTCR_LOOP) && is_looped(uart))
		receive(uart, UARTDR_BREAK);
}

static void write_register(struct vpl011 *uart, uint64_t offset, uint32_t value)
{
	uint32_t bits, before, *plain = plain_register(uart, offset, &bits);

	if (plain) {
		before = *plain;
		*plain = value & bits;
		changed(uart, offset, before);
	} else if (offset == UARTICR) {
		uart->ris &= ~value;
	} else if (offset == UARTRSR) {
		uart->rsr = 0;
	} else if (offset == UARTDR) {
		send(uart, value);
	}
}

static void update_interrupt(struct vpl011 *uart)
{
	device_set_line(&uart->device, (uart->ris & uart->imsc) != 0);
	__atomic_store_n(&uart->device.listens, uart->imsc & (UARTINT_RX | UARTINT_TIMEOUT), __ATOMIC_RELAXED);
}

/* What is typed waits until there is room, as a terminal that is told by RTS to wait would. */
static bool uart_receive(struct io_device *device, uint8_t byte)
{
	struct vpl011 *uart = CONTAINER_OF(device, struct vpl011, device);
	const uint32_t on = UARTCR_ENABLE | UARTCR_RX;

	if (!uart->device.listens && uart->polls < CONSOLE_POLLS)
		return false;
	if ((uart->cr & on) != on || (uart->cr & UARTCR_LOOP) || uart->rx_count >= rx_room(uart))
		return false;
	receive(uart, byte);
	update_interrupt(uart);
	return true;
}

/* Registers are words on a bus of 32 bits: narrow writes write the whole register, as the peripheral bus does. */
static void uart_access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vpl011 *uart = CONTAINER_OF(device, struct vpl011, device);
	unsigned shift = 8 * (unsigned)(offset & 3);

	offset = align_down(offset, 4);
	if (io->write)
		uart->polls = 0;
	else if (offset == UARTFR && uart->polls < CONSOLE_POLLS)
		uart->polls++;
	if (io->write)
		write_register(uart, offset, (uint32_t)(io->value << shift));
	else
		io->value = (uint64_t)read_register(uart, offset) >> shift & ~UINT64_C(0) >> (64 - 8 * io->size);
	update_interrupt(uart);
}

void vpl011_init(struct vpl011 *uart, uint64_t base, unsigned line)
{
	*uart = (struct vpl011){
		.device = {
			.space = IO_MEMORY,
			.base = base,
			.size = UART_BYTES,
			.access = uart_access,
			.receive = uart_receive,
			.line = line,
		},
		.cr = UARTCR_RESET,
		.ifls = UARTIFLS_RESET,
	};
}
