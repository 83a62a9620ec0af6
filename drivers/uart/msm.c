/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Qualcomm's UART with data mover (UARTDM), without the data mover. FIFOs are of words, four bytes each; input that does not fill a
 * word waits beside them until it is called stale. Sources: Snapdragon 410E (APQ8016E) Technical Reference Manual, 6.2.5 "UART_DM
 * registers"; Linux, drivers/tty/serial/msm_serial.c, for where versions before 1.4 have their FIFOs.
 */
#include "drivers/uart.h"
#include "include/mmio.h"

enum {
	DMRX = 0x34,
	NCF_TX = 0x40, /* bytes to be sent */
	RXFS = 0x50,
	OLD_FIFO = 0x70,
	SR = 0xa4,
	CR = 0xa8,
	IMR = 0xb0,
	ISR = 0xb4,
	TX_FIFO = 0x100,
	RX_FIFO = 0x140,
};

enum {
	SR_RX_READY = 0x01,
	SR_TX_EMPTY = 0x08,
	SR_OVERRUN = 0x10,
	ISR_TX_READY = 0x80,
	CR_RESET_ERROR = 0x30,
	CR_RESET_STALE = 0x80,
	CR_RESET_TX_READY = 0x300,
	CR_FORCE_STALE = 0x400,
	CR_STALE_ENABLE = 0x500,
	RXFS_BUFFER_SHIFT = 7, /* bytes that do not fill a word yet */
	RXFS_BUFFER = 7,
	DMRX_MOST = 0xffffff,
};

enum { V1_4, V1_3 };

/* The rest of a word that has been read. There is one console. */
static uint32_t word;
static unsigned left;

static uint32_t load(const struct serial_port *port, unsigned at)
{
	return mmio_read32(port->base + at);
}

static void store(const struct serial_port *port, unsigned at, uint32_t value)
{
	mmio_write32(port->base + at, value);
}

/* So many bytes may come until it is said again. */
static void expect_input(const struct serial_port *port)
{
	store(port, CR, CR_RESET_STALE);
	store(port, DMRX, DMRX_MOST);
	store(port, CR, CR_STALE_ENABLE);
}

static void init(const struct serial_port *port)
{
	left = 0;
	store(port, IMR, 0);
	expect_input(port);
}

static bool ready(const struct serial_port *port)
{
	return (load(port, SR) & SR_TX_EMPTY) || (load(port, ISR) & ISR_TX_READY);
}

static void put(const struct serial_port *port, uint8_t byte)
{
	store(port, CR, CR_RESET_TX_READY);
	store(port, NCF_TX, 1);
	(void)load(port, NCF_TX); /* it takes effect before the byte comes */
	store(port, port->variant == V1_3 ? OLD_FIFO : TX_FIFO, byte);
}

static void take_word(const struct serial_port *port)
{
	unsigned fifo = port->variant == V1_3 ? OLD_FIFO : RX_FIFO;

	if (load(port, SR) & SR_OVERRUN)
		store(port, CR, CR_RESET_ERROR);
	if (load(port, SR) & SR_RX_READY) {
		word = load(port, fifo);
		left = sizeof(word);
		return;
	}
	left = load(port, RXFS) >> RXFS_BUFFER_SHIFT & RXFS_BUFFER;
	if (left == 0)
		return;
	store(port, CR, CR_FORCE_STALE);
	word = load(port, fifo);
	expect_input(port);
}

static bool take(const struct serial_port *port, uint8_t *byte)
{
	if (left == 0)
		take_word(port);
	if (left == 0)
		return false;
	*byte = (uint8_t)word;
	word >>= 8;
	left--;
	return true;
}

static const struct uart_compatible compatibles[] = {
	{ .name = "qcom,msm-uartdm-v1.4", .variant = V1_4 },
	{ .name = "qcom,msm-uartdm", .variant = V1_3 },
	{ 0 },
};

/* The table's MSM8x60 and MSM8974. */
static const struct uart_subtype subtypes[] = { { .number = 0x04, .variant = V1_3 }, { .number = 0x09, .variant = V1_4 } };

const struct uart_driver uart_msm = {
	.compatibles = compatibles,
	.subtypes = subtypes,
	.subtype_count = ARRAY_LEN(subtypes),
	.init = init,
	.ready = ready,
	.put = put,
	.take = take,
};
