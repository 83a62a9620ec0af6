/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial ports whose registers say all there is to know of them. */
#include "drivers/uart.h"
#include "include/mmio.h"

static const struct uart_layout *layout_of(const struct serial_port *port)
{
	return &port->driver->layouts[port->variant];
}

static uint32_t in_order(const struct serial_port *port, uint32_t value)
{
	return layout_of(port)->big_endian ? uart_swap(value, sizeof(value)) : value;
}

static uint32_t read_bytes(const struct serial_port *port, unsigned at, uint8_t width)
{
	if (width == 1)
		return mmio_read8(port->base + at);
	return width == 2 ? mmio_read16(port->base + at) : in_order(port, mmio_read32(port->base + at));
}

static void write_bytes(const struct serial_port *port, unsigned at, uint8_t width, uint32_t value)
{
	if (width == 1)
		mmio_write8(port->base + at, (uint8_t)value);
	else if (width == 2)
		mmio_write16(port->base + at, (uint16_t)value);
	else
		mmio_write32(port->base + at, in_order(port, value));
}

static uint32_t read_register(const struct serial_port *port, unsigned at)
{
	return read_bytes(port, at, layout_of(port)->width);
}

static void write_register(const struct serial_port *port, unsigned at, uint32_t value)
{
	write_bytes(port, at, layout_of(port)->width, value);
}

static uint8_t data_width(const struct uart_layout *layout)
{
	return layout->data_width ? layout->data_width : layout->width;
}

/* What is all new is not read before. */
static void change(const struct serial_port *port, const struct uart_change *what)
{
	if (what->clear == UINT32_MAX)
		write_register(port, what->at, what->set);
	else if (what->clear | what->set)
		write_register(port, what->at, (read_register(port, what->at) & ~what->clear) | what->set);
}

static bool says_yes(const struct uart_flag *flag, uint32_t value)
{
	return ((value & flag->mask) != 0) == flag->is_set;
}

void uart_layout_init(const struct serial_port *port)
{
	for (size_t i = 0; i < ARRAY_LEN(layout_of(port)->start); i++)
		change(port, &layout_of(port)->start[i]);
}

bool uart_layout_ready(const struct serial_port *port)
{
	const struct uart_flag *room = &layout_of(port)->room;

	return says_yes(room, read_register(port, room->at));
}

void uart_layout_put(const struct serial_port *port, uint8_t byte)
{
	const struct uart_layout *layout = layout_of(port);

	write_bytes(port, layout->send, data_width(layout), byte);
	change(port, &layout->sent);
}

bool uart_layout_take(const struct serial_port *port, uint8_t *byte)
{
	const struct uart_layout *layout = layout_of(port);
	uint32_t value = read_register(port, layout->came.at);

	if (!says_yes(&layout->came, value))
		return false;
	if (layout->take != layout->came.at)
		value = read_bytes(port, layout->take, data_width(layout));
	*byte = (uint8_t)value;
	change(port, &layout->taken);
	return true;
}
