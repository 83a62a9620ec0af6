/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550 UART and its relatives, by I/O port or in memory with registers any distance apart.
 * Sources: PC16550D data sheet, "Registers"; BCM2835 ARM Peripherals, 2.2 "Mini UART", whose registers from AUX_MU_IO_REG
 * on are in the same order.
 */
#include "drivers/uart.h"
#include "include/arch/io.h"
#include "include/mmio.h"

enum {
	UART_DATA = 0, /* and divisor, low byte */
	UART_IER = 1,  /* and divisor, high byte */
	UART_FCR = 2,
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
};

enum {
	UART_FCR_ENABLE_AND_CLEAR = 0x07,
	UART_LCR_8N1 = 0x03,
	UART_LCR_DLAB = 0x80,
	UART_MCR_DTR_RTS = 0x03,
	UART_LSR_DR = 0x01,   /* a byte has come */
	UART_LSR_THRE = 0x20, /* room for a byte */
	UART_LSR_NONE = 0xff, /* there is no port */
};

static uint8_t read_register(const struct serial_port *port, unsigned index)
{
	uint64_t at = port->base + ((uint64_t)index << port->shift);

	if (port->by_io_port)
		return arch_port_read((uint16_t)at);
	if (port->width == 4)
		return (uint8_t)mmio_read32(at);
	return port->width == 2 ? (uint8_t)mmio_read16(at) : mmio_read8(at);
}

static void write_register(const struct serial_port *port, unsigned index, uint8_t value)
{
	uint64_t at = port->base + ((uint64_t)index << port->shift);

	if (port->by_io_port)
		arch_port_write((uint16_t)at, value);
	else if (port->width == 4)
		mmio_write32(at, value);
	else if (port->width == 2)
		mmio_write16(at, value);
	else
		mmio_write8(at, value);
}

static void init(const struct serial_port *port)
{
	write_register(port, UART_IER, 0);
	if (port->divisor == 0)
		return;
	write_register(port, UART_LCR, UART_LCR_DLAB);
	write_register(port, UART_DATA, (uint8_t)port->divisor);
	write_register(port, UART_IER, (uint8_t)(port->divisor >> 8));
	write_register(port, UART_LCR, UART_LCR_8N1);
	write_register(port, UART_FCR, UART_FCR_ENABLE_AND_CLEAR);
	write_register(port, UART_MCR, UART_MCR_DTR_RTS);
}

static bool ready(const struct serial_port *port)
{
	return read_register(port, UART_LSR) & UART_LSR_THRE;
}

static void put(const struct serial_port *port, uint8_t byte)
{
	write_register(port, UART_DATA, byte);
}

static bool take(const struct serial_port *port, uint8_t *byte)
{
	uint8_t status = read_register(port, UART_LSR);

	if (!(status & UART_LSR_DR) || status == UART_LSR_NONE)
		return false;
	*byte = read_register(port, UART_DATA);
	return true;
}

static const struct uart_compatible compatibles[] = {
	/* The mini UART of the BCM2835 and its children: its binding leaves out `reg-shift` and `reg-io-width`. */
	{ "brcm,bcm2835-aux-uart", 2, 4 },
	{ "snps,dw-apb-uart", 0, 1 },
	{ "ns16550a", 0, 1 },
	{ "ns16550", 0, 1 },
	{ "ns16450", 0, 1 },
	{ "ns8250", 0, 1 },
	{ NULL, 0, 0 },
};

/* Before revision 2 SPCR had numbers of its own, of which 0 and 1 meant the same. */
static const struct uart_subtype subtypes[] = {
	{ 0x00, 0, 0 },
	{ 0x01, 0, 0 },    /* a subset that has all we use */
	{ 0x10, 0x40, 4 }, /* BCM2835 ARM Peripherals, 2.1: the mini UART begins here in the block of auxiliary peripherals */
	{ 0x12, 0, 0 },    /* with the parameters that the address structure gives */
};

const struct uart_driver uart_16550 = {
	.compatibles = compatibles,
	.subtypes = subtypes,
	.subtype_count = ARRAY_LEN(subtypes),
	.registers = 8,
	.init = init,
	.ready = ready,
	.put = put,
	.take = take,
};
