/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's port: which is taken, and what its registers see. */
#include "drivers/serial.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/console.h"
#include "drivers/uart.h"
#include "include/arch/io.h"
#include "tests/host/host.h"

/* A 16550 at I/O port 0x100. */
static struct {
	uint8_t typed[4]; /* by a person */
	size_t waiting;   /* of these, how many have not been read */
	uint8_t sent[64];
	size_t count;
	uint8_t registers[8];
	unsigned polls; /* of the line status */
} uart;

static bool default_there;
static struct console_stream stream;

uint8_t arch_port_read(uint16_t port)
{
	uart.polls += port == 0x105;
	if (port == 0x105)
		return (uint8_t)(uart.registers[5] | (uart.waiting > 0));
	if (port == 0x100 && uart.waiting > 0)
		return uart.typed[sizeof(uart.typed) - uart.waiting--];
	return port >= 0x100 && port < 0x108 ? uart.registers[port - 0x100] : 0xff;
}

void arch_port_write(uint16_t port, uint8_t value)
{
	assert_in_range(port, 0x100, 0x107);
	if (port == 0x100 && !(uart.registers[3] & 0x80))
		uart.sent[uart.count++] = value;
	else
		uart.registers[port - 0x100] = value;
}

bool arch_serial_default(struct serial_port *port)
{
	*port = (struct serial_port){ .driver = NULL };
	return default_there;
}

static int setup(void **state)
{
	(void)state;
	memset(&uart, 0, sizeof(uart));
	uart.registers[1] = 0x0f;
	uart.registers[5] = 0x60;
	default_there = false;
	console_set_sink(NULL);
	return 0;
}

static const struct serial_port by_port = {
	.driver = &uart_16550,
	.by_io_port = true,
	.base = 0x100,
	.size = 8,
	.width = 1,
};

static void lines_end_with_both(void **state)
{
	(void)state;
	serial_start(&by_port);
	CHECK_EQ(uart.registers[1], 0); /* no interrupts */
	CHECK_EQ(uart.registers[3], 0); /* the line stays as it was */
	console_stream_write(&stream, "ab\nc", 4);
	CHECK_EQ(uart.count, 5);
	assert_memory_equal(uart.sent, "ab\r\nc", 5);
}

static void a_divisor_is_set_when_asked_for(void **state)
{
	struct serial_port port = by_port;

	(void)state;
	port.divisor = 0x102;
	serial_start(&port);
	CHECK_EQ(uart.registers[0], 0x02);
	CHECK_EQ(uart.registers[1], 0x01); /* the last that was written there was the divisor */
	CHECK_EQ(uart.registers[2], 0xc7); /* FIFOs on and empty, as full as can be before the sender has to wait */
	CHECK_EQ(uart.registers[3], 0x03);
	CHECK_EQ(uart.count, 0);
}

/* One long wait; after that none, until the port is ready again. */
static void a_stuck_port_is_waited_for_once(void **state)
{
	unsigned first;

	(void)state;
	serial_start(&by_port);
	uart.registers[5] = 0;
	console_stream_write(&stream, "a", 1);
	first = uart.polls;
	CHECK(first > 1000, "%u polls", first);
	console_stream_write(&stream, "bcdef", 5);
	CHECK_EQ(uart.polls, first + 5);
	CHECK_EQ(uart.count, 0);
	uart.registers[5] = 0x20;
	console_stream_write(&stream, "gh", 2);
	CHECK_EQ(uart.count, 2);
	assert_memory_equal(uart.sent, "gh", 2);
}

/* XScale's is off without a bit that is none in the 16550's register. */
static void an_xscale_stays_on(void **state)
{
	struct serial_port port = by_port;

	(void)state;
	port.variant = 1;
	serial_start(&port);
	CHECK_EQ(uart.registers[1], 0x40);
}

static void big_endian_registers(void **state)
{
	(void)state;
	for (uint8_t width = 1; width <= 4; width *= 2) {
		uint8_t memory[32] __attribute__((aligned(8))) = { 0 }, byte;
		struct serial_port port = {
			.driver = &uart_16550, .base = (uintptr_t)memory, .shift = 2, .width = width, .big_endian = true
		};

		memory[20 + width - 1] = 0x21; /* LSR: room, and a byte has come */
		serial_start(&port);
		console_stream_write(&stream, "x", 1);
		CHECK_EQ(memory[width - 1], 'x');
		assert_true(serial_read(&byte));
		CHECK_EQ(byte, 'x');
	}
}

/* In memory, with each distance and width: the right bytes change and no others. */
static void registers_are_where_they_are_said_to_be(void **state)
{
	static const uint8_t widths[] = { 1, 2, 4 };

	(void)state;
	for (uint8_t shift = 0; shift <= 2; shift++) {
		for (size_t w = 0; w < ARRAY_LEN(widths) && widths[w] <= 1 << shift; w++) {
			uint8_t memory[64] __attribute__((aligned(8))), wanted[64];
			struct serial_port port = {
				.driver = &uart_16550, .base = (uintptr_t)memory + 8, .shift = shift, .width = widths[w]
			};

			memset(memory, 0xee, sizeof(memory));
			memcpy(wanted, memory, sizeof(wanted));
			memset(wanted + 8, 0, widths[w]);
			wanted[8] = 'x';
			memset(wanted + 8 + (1 << shift), 0, widths[w]);
			serial_start(&port);
			console_stream_write(&stream, "wx", 2);
			assert_memory_equal(memory, wanted, sizeof(wanted));
		}
	}
}

static void pl011(void **state)
{
	static uint32_t registers[KIB(4) / 4];
	uint8_t byte;
	const struct serial_port port = { .driver = &uart_pl011, .base = (uintptr_t)registers, .size = KIB(4) };

	(void)state;
	registers[0x38 / 4] = 0x7ff;
	serial_start(&port);
	CHECK_EQ(registers[0x38 / 4], 0);
	console_stream_write(&stream, "z", 1);
	CHECK_EQ(registers[0], 'z');
	registers[0x18 / 4] = 0x20; /* full */
	console_stream_write(&stream, "y", 1);
	CHECK_EQ(registers[0], 'z');
	registers[0] = 0xe41; /* with errors above the byte */
	assert_true(serial_read(&byte));
	CHECK_EQ(byte, 0x41);
	registers[0x18 / 4] = 0x10; /* empty */
	assert_false(serial_read(&byte));
}

/* What is typed is read once; a port that is not there types nothing. */
static void input_is_read(void **state)
{
	uint8_t byte;

	(void)state;
	serial_start(&by_port);
	assert_true(serial_takes_input());
	assert_false(serial_read(&byte));
	memcpy(uart.typed, "keys", 4);
	uart.waiting = 4;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(serial_read(&byte));
		CHECK_EQ(byte, "keys"[i]);
	}
	assert_false(serial_read(&byte));
	uart.registers[5] = 0xff;
	assert_false(serial_read(&byte));
}

static void a_region_is_whole_pages(void **state)
{
	struct serial_port port = { .driver = &uart_16550, .base = 0x3f215040, .size = 0x40 };
	hpa_t start;
	uint64_t size;

	(void)state;
	serial_region(&port, &start, &size);
	CHECK_EQ(start.raw, 0x3f215000);
	CHECK_EQ(size, 0x1000);
	port.base = 0x3f215fe0;
	serial_region(&port, &start, &size);
	CHECK_EQ(size, 0x2000);
	serial_region(&by_port, &start, &size);
	CHECK_EQ(size, 0);
	port.driver = NULL;
	serial_region(&port, &start, &size);
	CHECK_EQ(size, 0);
}

static const void *no_memory(uint64_t address, uint64_t size)
{
	(void)address;
	(void)size;
	return NULL;
}

static uint64_t nothing_below;

static bool fits(const struct serial_port *port)
{
	return port->base >= nothing_below;
}

/* Bad ACPI tables are no reason not to read the tree; nothing there is none not to ask the ISA. */
static void sources_are_asked_in_turn(void **state)
{
	static uint64_t fdt[KIB(1) / 8];
	struct platform platform = { .acpi_rsdp = fdt, .acpi_reader = no_memory };
	struct serial_port port;
	fdt64_t reg[] = { cpu_to_fdt64(0x9000000), cpu_to_fdt64(0x1000) };

	(void)state;
	CHECK_EQ(serial_find(&platform, fits, &port), false);
	default_there = true;
	CHECK_EQ(serial_find(&platform, fits, &port), true);
	CHECK(!port.driver, "it has a driver");
	CHECK_EQ(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
	platform.fdt = fdt;
	CHECK_EQ(serial_find(&platform, fits, &port), true);
	CHECK(!port.driver, "it has a driver");
	fdt_setprop_u32(fdt, 0, "#address-cells", 2);
	fdt_setprop_u32(fdt, 0, "#size-cells", 2);
	fdt_add_subnode(fdt, 0, "uart");
	fdt_setprop(fdt, fdt_path_offset(fdt, "/uart"), "reg", reg, sizeof(reg));
	fdt_setprop_string(fdt, fdt_path_offset(fdt, "/uart"), "compatible", "arm,pl011");
	fdt_add_subnode(fdt, 0, "chosen");
	fdt_setprop_string(fdt, fdt_path_offset(fdt, "/chosen"), "stdout-path", "/uart");
	CHECK_EQ(serial_find(&platform, fits, &port), true);
	CHECK(port.driver == &uart_pl011, "another driver");
	CHECK_EQ(port.base, 0x9000000);
	/* One that cannot be there is passed over, and so is the last. */
	nothing_below = 0x9000001;
	CHECK_EQ(serial_find(&platform, fits, &port), false);
	nothing_below = 0;
	fdt_delprop(fdt, fdt_path_offset(fdt, "/chosen"), "stdout-path");
	CHECK_EQ(serial_find(&platform, fits, &port), true);
	CHECK(!port.driver, "it has a driver");
}

/* The port that no name leads to: only whoever asks for a guess gets it. */
static void a_guess_is_asked_for(void **state)
{
	static uint64_t fdt[KIB(1) / 8];
	const struct platform platform = { .acpi_rsdp = fdt, .acpi_reader = no_memory, .fdt = fdt };
	const fdt64_t reg[] = { cpu_to_fdt64(0x9000000), cpu_to_fdt64(0x1000) };
	struct serial_port port;
	int node;

	(void)state;
	CHECK_EQ(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
	CHECK_EQ(serial_guess(&platform, fits, &port), false);
	fdt_setprop_u32(fdt, 0, "#address-cells", 2);
	fdt_setprop_u32(fdt, 0, "#size-cells", 2);
	node = fdt_add_subnode(fdt, 0, "uart");
	fdt_setprop(fdt, node, "reg", reg, sizeof(reg));
	fdt_setprop_string(fdt, node, "compatible", "arm,pl011");
	CHECK_EQ(serial_find(&platform, fits, &port), false);
	CHECK_EQ(serial_guess(&platform, fits, &port), true);
	CHECK_EQ(port.base, 0x9000000);
	nothing_below = 0x9000001;
	CHECK_EQ(serial_guess(&platform, fits, &port), false);
	nothing_below = 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_end_with_both),
		TEST(a_divisor_is_set_when_asked_for),
		TEST(a_stuck_port_is_waited_for_once),
		TEST(an_xscale_stays_on),
		TEST(big_endian_registers),
		TEST(registers_are_where_they_are_said_to_be),
		TEST(pl011),
		TEST(input_is_read),
		TEST(a_region_is_whole_pages),
		TEST(sources_are_asked_in_turn),
		TEST(a_guess_is_asked_for),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
