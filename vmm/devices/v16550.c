/* SPDX-License-Identifier: BSD-2-Clause */
/* An emulated 16550A UART: what a guest sends goes to the console, or in loop mode back to the guest; what is typed goes to it. */
#include "vmm/devices/v16550.h"

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
	UART_IER_RX = 0x01,
	UART_IER_THRE = 0x02,
	UART_IER_LINE = 0x04,
	UART_IER_MODEM = 0x08,
	UART_IER_BITS = 0x0f,

	UART_IIR_MODEM = 0x00,
	UART_IIR_NONE = 0x01, /* no interrupt pending */
	UART_IIR_THRE = 0x02,
	UART_IIR_RX = 0x04,
	UART_IIR_LINE = 0x06,
	UART_IIR_TIMEOUT = 0x0c, /* fewer bytes than were waited for, and no more come */
	UART_IIR_FIFOS_ON = 0xc0,

	UART_FCR_ENABLE = 0x01,
	UART_FCR_CLEAR_RX = 0x02,
	UART_FCR_BITS = 0xc9, /* that stay: enable, DMA mode, trigger level */

	UART_LCR_DLAB = 0x80,

	UART_MCR_OUT2 = 0x08,
	UART_MCR_LOOP = 0x10,
	UART_MCR_BITS = 0x1f,

	UART_LSR_DATA = 0x01,
	UART_LSR_OVERRUN = 0x02,
	UART_LSR_IDLE = 0x60, /* holding register and transmitter empty */

	UART_MSR_CTS = 0x10,
	UART_MSR_DSR = 0x20,
	UART_MSR_RI = 0x40,
	UART_MSR_DCD = 0x80,
	UART_MSR_LINES = 0xf0,
	UART_MSR_CHANGED = 0x0f, /* each 4 below its line; of RI, its end only */
};

static bool in_loop(const struct v16550 *uart)
{
	return uart->mcr & UART_MCR_LOOP;
}

/* "FIFO Control Register", bits 7 and 6. Without FIFOs, each byte counts. */
static unsigned rx_trigger(const struct v16550 *uart)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return uart->fcr & UART_FCR_ENABLE ? levels[uart->fcr >> 6] : 1;
}

/* A byte too many: in a FIFO it is lost, without one it takes the place of the last. "Line Status Register", bit 1. */
static void receive(struct v16550 *uart, uint8_t byte)
{
	unsigned room = uart->fcr & UART_FCR_ENABLE ? V16550_FIFO : 1;

	if (uart->rx_count == room) {
		uart->lsr |= UART_LSR_OVERRUN;
		if (room == 1)
			uart->rx[uart->rx_first] = byte;
		return;
	}
	uart->rx[(uart->rx_first + uart->rx_count++) % V16550_FIFO] = byte;
}

static uint8_t read_received(struct v16550 *uart)
{
	uint8_t byte = uart->rx[uart->rx_first];

	if (uart->rx_count == 0)
		return 0;
	uart->rx_first = (uint8_t)((uart->rx_first + 1) % V16550_FIFO);
	uart->rx_count--;
	return byte;
}

/* A word has 5 to 8 bits. "Modem Control Register", bit 4: what is transmitted is received, and the line stays idle. */
static void send(struct v16550 *uart, uint8_t value)
{
	const char byte = (char)value;

	if (in_loop(uart))
		receive(uart, value & (uint8_t)(0xff >> (3 - (uart->lcr & 3))));
	else if (byte != '\r') /* the console makes its own */
		console_stream_write(uart->device.table->console, &byte, 1);
	uart->thre = true; /* it is sent at once */
}

/* The lines as they are now: in loop mode our own four, else those of a connected terminal. */
static void update_lines(struct v16550 *uart)
{
	static const uint8_t looped[] = { UART_MSR_DSR, UART_MSR_CTS, UART_MSR_RI, UART_MSR_DCD }; /* DTR, RTS, OUT1, OUT2 */
	uint8_t lines = in_loop(uart) ? 0 : UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD, changed;

	for (unsigned i = 0; i < ARRAY_LEN(looped) && in_loop(uart); i++)
		if (uart->mcr & BIT(i))
			lines |= looped[i];
	changed = lines ^ (uart->msr & UART_MSR_LINES);
	if (lines & UART_MSR_RI)
		changed &= (uint8_t)~UART_MSR_RI;
	uart->msr = (uint8_t)(lines | (uart->msr & UART_MSR_CHANGED) | changed >> 4);
}

/* The interrupt of highest priority that is enabled: table IV, "Interrupt Control Functions". */
static uint8_t interrupt(const struct v16550 *uart)
{
	if ((uart->ier & UART_IER_LINE) && uart->lsr)
		return UART_IIR_LINE;
	if ((uart->ier & UART_IER_RX) && uart->rx_count > 0)
		return uart->rx_count >= rx_trigger(uart) ? UART_IIR_RX : UART_IIR_TIMEOUT;
	if ((uart->ier & UART_IER_THRE) && uart->thre)
		return UART_IIR_THRE;
	if ((uart->ier & UART_IER_MODEM) && (uart->msr & UART_MSR_CHANGED))
		return UART_IIR_MODEM;
	return UART_IIR_NONE;
}

/* Reading that the transmitter is empty clears its interrupt. */
static uint8_t read_iir(struct v16550 *uart)
{
	uint8_t id = interrupt(uart);

	if (id == UART_IIR_THRE)
		uart->thre = false;
	return (uint8_t)(id | (uart->fcr & UART_FCR_ENABLE ? UART_IIR_FIFOS_ON : 0));
}

static uint8_t read_lsr(struct v16550 *uart)
{
	uint8_t lsr = (uint8_t)(uart->lsr | UART_LSR_IDLE | (uart->rx_count > 0 ? UART_LSR_DATA : 0));

	uart->lsr = 0;
	return lsr;
}

static uint8_t read_msr(struct v16550 *uart)
{
	uint8_t msr = uart->msr;

	uart->msr &= UART_MSR_LINES;
	return msr;
}

static uint8_t uart_read(struct v16550 *uart, uint64_t offset)
{
	if ((uart->lcr & UART_LCR_DLAB) && offset <= 1)
		return uart->divisor[offset];
	switch (offset) {
	case UART_DATA:
		return read_received(uart);
	case UART_IER:
		return uart->ier;
	case UART_IIR:
		return read_iir(uart);
	case UART_LCR:
		return uart->lcr;
	case UART_MCR:
		return uart->mcr;
	case UART_LSR:
		return read_lsr(uart);
	case UART_MSR:
		return read_msr(uart);
	default: /* UART_SCR */
		return uart->scr;
	}
}

/*
 * Nothing but the enable bit is taken without it, and a change of it empties the FIFOs. "FIFO Control Register". What has come
 * before they are on is in the holding register, and stays: Linux has its interrupts on when it switches FIFOs on (8250_port.c,
 * set_termios), and would lose the first byte that was typed.
 */
static void write_fcr(struct v16550 *uart, uint8_t value)
{
	if (!(value & UART_FCR_ENABLE))
		value = 0;
	if ((value & UART_FCR_CLEAR_RX) || (uart->fcr & ~value & UART_FCR_ENABLE))
		uart->rx_count = 0;
	uart->fcr = value & UART_FCR_BITS;
}

/* The transmitter is empty, and who asks for that interrupt has it. */
static void write_ier(struct v16550 *uart, uint8_t value)
{
	if (value & ~uart->ier & UART_IER_THRE)
		uart->thre = true;
	uart->ier = value & UART_IER_BITS;
}

static void uart_write(struct v16550 *uart, uint64_t offset, uint8_t value)
{
	if ((uart->lcr & UART_LCR_DLAB) && offset <= 1) {
		uart->divisor[offset] = value;
		return;
	}
	switch (offset) {
	case UART_DATA:
		send(uart, value);
		break;
	case UART_IER:
		write_ier(uart, value);
		break;
	case UART_FCR:
		write_fcr(uart, value);
		break;
	case UART_LCR:
		uart->lcr = value;
		break;
	case UART_MCR:
		uart->mcr = value & UART_MCR_BITS;
		update_lines(uart);
		break;
	case UART_SCR:
		uart->scr = value;
		break;
	default: /* status registers are read only */
		break;
	}
}

/* Its line, and whether a byte that is typed would raise it: a PC's is connected by OUT2, which is off in loop mode. */
static void update_interrupt(struct v16550 *uart)
{
	bool connected = (uart->mcr & UART_MCR_OUT2) && !in_loop(uart);

	device_set_line(&uart->device, connected && interrupt(uart) != UART_IIR_NONE);
	__atomic_store_n(&uart->device.listens, connected && (uart->ier & UART_IER_RX), __ATOMIC_RELAXED);
}

/* What is typed waits until there is room, as a terminal that is told by RTS to wait would. */
static bool uart_receive(struct io_device *device, uint8_t byte)
{
	struct v16550 *uart = CONTAINER_OF(device, struct v16550, device);

	if (!uart->device.listens && uart->polls < CONSOLE_POLLS)
		return false;
	if (in_loop(uart) || uart->rx_count >= (uart->fcr & UART_FCR_ENABLE ? V16550_FIFO : 1))
		return false;
	receive(uart, byte);
	update_interrupt(uart);
	return true;
}

/* Wider accesses reach the registers that follow, as on a bus of 8 bits. Apart, so that others save no registers for it. */
static __attribute__((noinline)) void access_wide(struct v16550 *uart, uint64_t offset, struct io_access *io)
{
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

/* What a driver reads before each byte that it sends; only errors that are forgotten change what the UART interrupts for. */
static void poll_lsr(struct v16550 *uart, struct io_access *io)
{
	bool errors = uart->lsr;

	io->value = read_lsr(uart);
	if (errors)
		update_interrupt(uart);
}

static void uart_access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct v16550 *uart = CONTAINER_OF(device, struct v16550, device);

	if (io->write)
		uart->polls = 0;
	else if (offset == UART_LSR && uart->polls < CONSOLE_POLLS)
		uart->polls++;
	if (io->size > 1) {
		access_wide(uart, offset, io);
	} else if (io->write) {
		uart_write(uart, offset, (uint8_t)io->value);
	} else if (offset == UART_LSR) {
		poll_lsr(uart, io);
		return;
	} else {
		io->value = uart_read(uart, offset);
	}
	update_interrupt(uart);
}

void v16550_init(struct v16550 *uart, enum io_space space, uint64_t base, unsigned line)
{
	*uart = (struct v16550){
		.device = {
			.space = space,
			.base = base,
			.size = UART_REGISTERS,
			.access = uart_access,
			.receive = uart_receive,
			.line = line,
		},
		.msr = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD,
	};
}
