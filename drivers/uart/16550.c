/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550 UART and its relatives, by I/O port or in memory with registers any distance apart.
 * Sources: PC16550D data sheet, "Registers"; BCM2835 ARM Peripherals, 2.2 "Mini UART", whose registers from AUX_MU_IO_REG
 * on are in the same order; Intel PXA27x Developer's Manual, 10.5.4 "Interrupt Enable Register (IER)"; AM335x Technical Reference
 * Manual, 19.5 "UART Registers", which are accessed by 8 or 16 bits; the bindings serial/8250.yaml and serial/8250_omap.yaml in
 * Linux' Documentation/devicetree/bindings.
 *
 * FIFOs may be of any size: a byte is written when none waits, and while it waits the one before it is on the line. DesignWare's
 * refuses a store to LCR while a byte is on its way, and interrupts then: LCR is left as the firmware has set it there.
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

/* Relatives that need something else. */
enum { PLAIN, XSCALE };

enum {
	UART_IER_UUE = 0x40,              /* XScale's: the UART is on */
	UART_FCR_ENABLE_AND_CLEAR = 0xc7, /* and a trigger level of 14, up to which QEMU fills the FIFO at once, and no further */
	UART_LCR_8N1 = 0x03,
	UART_LCR_DLAB = 0x80,
	UART_MCR_DTR_RTS = 0x03,
	UART_LSR_DR = 0x01,   /* a byte has come */
	UART_LSR_THRE = 0x20, /* room for a byte */
	UART_LSR_NONE = 0xff, /* there is no port */
};

static uint32_t in_order(const struct serial_port *port, uint32_t value)
{
	return port->big_endian ? uart_swap(value, port->width) : value;
}

static uint32_t read_memory(const struct serial_port *port, uint64_t at)
{
	if (port->width == 4)
		return in_order(port, mmio_read32(at));
	return port->width == 2 ? in_order(port, mmio_read16(at)) : mmio_read8(at);
}

static void write_memory(const struct serial_port *port, uint64_t at, uint8_t value)
{
	if (port->width == 4)
		mmio_write32(at, in_order(port, value));
	else if (port->width == 2)
		mmio_write16(at, (uint16_t)in_order(port, value));
	else
		mmio_write8(at, value);
}

static uint8_t read_register(const struct serial_port *port, unsigned index)
{
	uint64_t at = port->base + ((uint64_t)index << port->shift);

	return port->by_io_port ? arch_port_read((uint16_t)at) : (uint8_t)read_memory(port, at);
}

static void write_register(const struct serial_port *port, unsigned index, uint8_t value)
{
	uint64_t at = port->base + ((uint64_t)index << port->shift);

	if (port->by_io_port)
		arch_port_write((uint16_t)at, value);
	else
		write_memory(port, at, value);
}

static void init(const struct serial_port *port)
{
	write_register(port, UART_IER, port->variant == XSCALE ? UART_IER_UUE : 0);
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

/* Most trees say how registers lie; where the binding lets them leave it out, that is here. */
static const struct uart_compatible compatibles[] = {
	{ "brcm,bcm2835-aux-uart", .shift = 2, .width = 4 },
	{ "brcm,bcm7271-uart", .shift = 2, .width = 4 },
	{ "nvidia,tegra20-uart", .shift = 2, .width = 4 }, /* all later ones have this name too */
	{ "nvidia,tegra194-uart", .shift = 2, .width = 4 },
	{ "mediatek,mt6577-uart", .shift = 2, .width = 4 },
	{ "intel,xscale-uart", .shift = 2, .width = 4, .variant = XSCALE },
	{ "mrvl,mmp-uart", .shift = 2, .width = 4, .variant = XSCALE },
	{ "mrvl,pxa-uart", .shift = 2, .width = 4, .variant = XSCALE },
	{ "ti,am654-uart", .shift = 2, .width = 1 },
	{ "ti,am3352-uart", .shift = 2, .width = 1 },
	{ "ti,omap4-uart", .shift = 2, .width = 1 },
	{ "ti,omap3-uart", .shift = 2, .width = 1 },
	{ "ti,omap2-uart", .shift = 2, .width = 1 },
	{ "aspeed,ast2400-vuart", .shift = 2, .width = 1 },
	{ "aspeed,ast2500-vuart", .shift = 2, .width = 1 },
	{ "marvell,armada-38x-uart", .shift = 2, .width = 1 },
	{ "snps,dw-apb-uart", .width = 1, .unnamed = true },
	{ "fsl,ns16550", .width = 1, .unnamed = true },
	{ "ns16850", .width = 1, .unnamed = true },
	{ "ns16750", .width = 1, .unnamed = true },
	{ "ns16550a", .width = 1, .unnamed = true },
	{ "ns16550", .width = 1, .unnamed = true },
	{ "ns16450", .width = 1, .unnamed = true },
	{ "ns8250", .width = 1, .unnamed = true },
	{ 0 },
};

/* Before revision 2 SPCR had numbers of its own, of which 0 and 1 meant the same. */
static const struct uart_subtype subtypes[] = {
	{ .number = 0x00 },
	{ .number = 0x01 },                         /* a subset that has all we use */
	{ .number = 0x05 },                         /* NVIDIA's */
	{ .number = 0x06, .shift = 2, .width = 1 }, /* TI's OMAP */
	{ .number = 0x08, .shift = 2, .width = 4 }, /* APM's 88xxxx */
	{ .number = 0x10,
	  .offset = 0x40,
	  .shift = 2,
	  .width = 4 },                             /* BCM2835 ARM Peripherals, 2.1: the mini UART begins here in its block */
	{ .number = 0x12 },                         /* with the parameters that the address structure gives */
	{ .number = 0x14, .shift = 2, .width = 4 }, /* Intel's LPSS */
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
