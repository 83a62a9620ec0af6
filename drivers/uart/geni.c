/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Qualcomm's serial engine (GENI) with the UART's firmware: commands for a number of bytes, which pass through FIFOs of words. One
 * byte is sent at a time. Sources: Linux, include/linux/soc/qcom/geni-se.h, and its drivers/tty/serial/qcom_geni_serial.c, for
 * there is no manual in public.
 */
#include "drivers/uart.h"
#include "include/mmio.h"

enum {
	GENI_STATUS = 0x040,
	UART_TX_TRANS_LEN = 0x270,
	RX_PACKING_CFG0 = 0x284,
	RX_PACKING_CFG1 = 0x288,
	M_CMD0 = 0x600,
	M_IRQ_EN = 0x614,
	M_IRQ_CLEAR = 0x618,
	S_CMD0 = 0x630,
	S_IRQ_EN = 0x644,
	S_IRQ_CLEAR = 0x648,
	TX_FIFO = 0x700,
	RX_FIFO = 0x780,
	RX_FIFO_STATUS = 0x804,
};

enum {
	M_CMD_ACTIVE = 1 << 0,
	S_CMD_ACTIVE = 1 << 12,
	UART_START = 1 << 27, /* the opcode of either command */
	RX_FIFO_WORDS = 0x1ffffff,
	RX_LAST_VALID_SHIFT = 28, /* bytes in the last word; 0: all */
	RX_LAST_VALID = 7,
};
#define RX_LAST 0x80000000u

/* Of the packing registers: this is the last byte of a word. CFG0 has the first two bytes, CFG1 the others. */
#define PACKING_LAST        0x001
#define PACKING_SECOND_LAST 0x400

/* The rest of a word that has been read. There is one console. */
static uint32_t word;
static unsigned left;

static void init(const struct serial_port *port)
{
	left = 0;
	mmio_write32(port->base + M_IRQ_EN, 0);
	mmio_write32(port->base + S_IRQ_EN, 0);
	if (!(mmio_read32(port->base + GENI_STATUS) & S_CMD_ACTIVE))
		mmio_write32(port->base + S_CMD0, UART_START);
}

static bool ready(const struct serial_port *port)
{
	return !(mmio_read32(port->base + GENI_STATUS) & M_CMD_ACTIVE);
}

static void put(const struct serial_port *port, uint8_t byte)
{
	mmio_write32(port->base + M_IRQ_CLEAR, UINT32_MAX);
	mmio_write32(port->base + UART_TX_TRANS_LEN, 1);
	mmio_write32(port->base + M_CMD0, UART_START);
	mmio_write32(port->base + TX_FIFO, byte);
}

/* As the firmware has set it. */
static unsigned bytes_in_word(const struct serial_port *port)
{
	uint32_t first = mmio_read32(port->base + RX_PACKING_CFG0);

	if (first & PACKING_LAST)
		return 1;
	if (first & PACKING_SECOND_LAST)
		return 2;
	return mmio_read32(port->base + RX_PACKING_CFG1) & PACKING_LAST ? 3 : 4;
}

static bool take(const struct serial_port *port, uint8_t *byte)
{
	if (left == 0) {
		uint32_t status = mmio_read32(port->base + RX_FIFO_STATUS);

		if ((status & RX_FIFO_WORDS) == 0)
			return false;
		left = bytes_in_word(port);
		if ((status & RX_FIFO_WORDS) == 1 && (status & RX_LAST) && (status >> RX_LAST_VALID_SHIFT & RX_LAST_VALID) != 0)
			left = (unsigned)min_u64(left, status >> RX_LAST_VALID_SHIFT & RX_LAST_VALID);
		word = mmio_read32(port->base + RX_FIFO);
		mmio_write32(port->base + S_IRQ_CLEAR, UINT32_MAX);
	}
	*byte = (uint8_t)word;
	word >>= 8;
	left--;
	return true;
}

static const struct uart_compatible compatibles[] = {
	{ .name = "qcom,geni-debug-uart", .unnamed = true },
	{ .name = "qcom,geni-uart" },
	{ 0 },
};

/* Two clock rates, which the firmware has set. */
static const struct uart_subtype subtypes[] = { { .number = 0x11 }, { .number = 0x13 } };

const struct uart_driver uart_geni = {
	.compatibles = compatibles,
	.subtypes = subtypes,
	.subtype_count = ARRAY_LEN(subtypes),
	.init = init,
	.ready = ready,
	.put = put,
	.take = take,
};
