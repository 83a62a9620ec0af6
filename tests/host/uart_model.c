/* SPDX-License-Identifier: BSD-2-Clause */
/* One port at an address that is none of the test's own. */
#include "tests/host/uart_model.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/console.h"
#include "drivers/devicetree.h"
#include "drivers/serial.h"
#include "include/arch/io.h"
#include "tests/host/host.h"

#define BASE UINT64_C(0x1230000)

struct uart_line uart_line;

static const struct uart_model *current;

bool arch_serial_default(struct serial_port *port)
{
	(void)port;
	return false;
}

bool uart_line_has_room(void)
{
	if (uart_line.busy == 0)
		return true;
	if (uart_line.busy != UINT32_MAX)
		uart_line.busy--;
	return false;
}

void uart_line_send(uint32_t byte)
{
	CHECK(uart_line.busy == 0, "%s: a byte is sent where there is no room", current->name);
	CHECK(byte <= UINT8_MAX, "%s: %#x is sent", current->name, byte);
	assert_true(uart_line.count < sizeof(uart_line.sent));
	uart_line.sent[uart_line.count++] = (uint8_t)byte;
}

bool uart_line_has_input(void)
{
	return uart_line.taken < uart_line.came;
}

uint8_t uart_line_take(void)
{
	CHECK(uart_line_has_input(), "%s: a byte is taken that has not come", current->name);
	return uart_line.typed[uart_line.taken++];
}

static void check_access(uint64_t address, unsigned width)
{
	uint32_t at = (uint32_t)(address - BASE);
	unsigned wanted = current->data_width && current->is_data(at) ? current->data_width : current->width;

	CHECK(address >= BASE && address < BASE + PAGE_SIZE, "%s: an access to %#jx", current->name, (uintmax_t)address);
	CHECK(width == wanted && address % width == 0, "%s: an access of %u bytes at %#x", current->name, width, at);
}

uint32_t model_read(uint64_t address, unsigned width)
{
	uint32_t value;

	check_access(address, width);
	value = current->read((uint32_t)(address - BASE));
	return current->big_endian ? __builtin_bswap32(value) : value;
}

void model_write(uint64_t address, unsigned width, uint32_t value)
{
	check_access(address, width);
	current->write((uint32_t)(address - BASE), current->big_endian ? __builtin_bswap32(value) : value);
}

static bool in_tree(const char *name, struct serial_port *port)
{
	static uint64_t fdt[KIB(1) / sizeof(uint64_t)];
	const fdt64_t reg[] = { cpu_to_fdt64(BASE), cpu_to_fdt64(0x1000) };
	int node;

	assert_int_equal(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
	fdt_setprop_u32(fdt, 0, "#address-cells", 2);
	fdt_setprop_u32(fdt, 0, "#size-cells", 2);
	node = fdt_add_subnode(fdt, 0, "serial");
	assert_int_equal(fdt_setprop(fdt, node, "compatible", name, (int)strlen(name) + 1), 0);
	assert_int_equal(fdt_setprop(fdt, node, "reg", reg, sizeof(reg)), 0);
	node = fdt_add_subnode(fdt, 0, "chosen");
	assert_int_equal(fdt_setprop_string(fdt, node, "stdout-path", "/serial"), 0);
	return devicetree_find_serial(fdt, NULL, port) == ERR_OK;
}

static void type(const char *text)
{
	uart_line.came = strlen(text);
	uart_line.taken = 0;
	memcpy(uart_line.typed, text, uart_line.came);
}

static void check_output(void)
{
	static struct console_stream stream;

	console_stream_write(&stream, "ab", 2);
	uart_line.busy = 5;
	console_stream_write(&stream, "c\n", 2);
	CHECK(uart_line.count == 5 && memcmp(uart_line.sent, "abc\r\n", 5) == 0, "%s: sent %.*s", current->name,
	      (int)uart_line.count, uart_line.sent);
	/* The first byte is waited for; nothing is sent. */
	uart_line.busy = UINT32_MAX;
	console_stream_write(&stream, "def", 3);
	CHECK_EQ(uart_line.count, 5);
	uart_line.busy = 0;
	console_stream_write(&stream, "g", 1);
	CHECK_EQ(uart_line.count, 6);
}

static void check_input(void)
{
	uint8_t byte = 0;

	CHECK(!serial_read(&byte), "%s: input from nowhere", current->name);
	for (const char *text = "\x7fqwertyu\xff"; *text; text += 3) {
		size_t length = strlen(text);

		type(text);
		for (size_t i = 0; i < length; i++) {
			CHECK(serial_read(&byte), "%s: byte %zu of %zu is not read", current->name, i, length);
			CHECK(byte == (uint8_t)text[i], "%s: byte %zu is %#x", current->name, i, byte);
		}
		CHECK(!serial_read(&byte), "%s: %#x is read again", current->name, byte);
	}
}

void uart_model_check(const struct uart_model *model)
{
	struct serial_port port;

	current = model;
	uart_line = (struct uart_line){ .control = model->control };
	CHECK(in_tree(model->name, &port), "%s: no driver", model->name);
	serial_start(&port);
	CHECK(uart_line.control == model->quiet, "%s: controls are %#x", model->name, uart_line.control);
	check_input();
	check_output();
	check_input();
	CHECK(uart_line.control == model->quiet, "%s: controls are %#x in the end", model->name, uart_line.control);
	console_set_sink(NULL);
}
