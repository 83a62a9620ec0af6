/* SPDX-License-Identifier: BSD-2-Clause */
/* The PL011 that a guest sees. */
#include "vmm/devices/vpl011.h"

#include <string.h>

#include "drivers/console.h"
#include "tests/host/host.h"

#define BASE 0x9000000

static struct vpl011 uart;
static struct console_stream stream;
static char printed[64];
static size_t count;

static void sink(const char *bytes, size_t size)
{
	assert_true(count + size <= sizeof(printed));
	memcpy(printed + count, bytes, size);
	count += size;
}

/* The interrupt controller: which line is high; 0: none is. */
static unsigned line;
static struct device_table table;

static void set_line(struct device_table *of, unsigned number, bool level)
{
	assert_ptr_equal(of, &table);
	line = level ? number : 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&uart, 0xff, sizeof(uart));
	vpl011_init(&uart, BASE, 33);
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .console = &stream, .set_line = set_line };
	line = 0;
	device_add(&table, &uart.device);
	console_set_sink(sink);
	count = 0;
	return 0;
}

static uint64_t read_at(uint64_t offset, uint8_t size)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .addr = BASE + offset, .value = 0xdeadbeefdeadbeef };

	uart.device.access(&uart.device, offset, &io);
	return io.value;
}

static void write_at(uint64_t offset, uint8_t size, uint64_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = true, .addr = BASE + offset, .value = value };

	uart.device.access(&uart.device, offset, &io);
}

static void it_is_where_it_was_put(void **state)
{
	(void)state;
	CHECK_EQ(uart.device.space, IO_MEMORY);
	CHECK_EQ(uart.device.base, BASE);
	CHECK_EQ(uart.device.size, 0x1000);
}

static void bytes_go_to_the_console(void **state)
{
	(void)state;
	for (uint8_t size = 1; size <= 8; size *= 2)
		write_at(0, size, 'a' + size);
	write_at(0, 4, '\r');
	write_at(0, 4, '\n');
	CHECK_EQ(count, 5);
	assert_memory_equal(printed, "bcei\n", 5);
	CHECK_EQ(read_at(0x18, 4), 0x90); /* ready for more, nothing received */
	CHECK_EQ(read_at(0, 4), 0);
}

/* ARM DDI 0183, 3.2: reset values, and which bits can be written. */
static void registers_keep_what_they_have_room_for(void **state)
{
	static const struct {
		uint16_t offset;
		uint32_t reset, bits;
	} registers[] = {
		{ 0x20, 0, 0xff },       { 0x24, 0, 0xffff },  { 0x28, 0, 0x3f },  { 0x2c, 0, 0xff },
		{ 0x30, 0x300, 0xff87 }, { 0x34, 0x12, 0x3f }, { 0x38, 0, 0x7ff }, { 0x48, 0, 0x7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(registers); i++)
		CHECK_EQ(read_at(registers[i].offset, 4), registers[i].reset);
	for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
		write_at(registers[i].offset, 4, 0xffffffff);
		CHECK_EQ(read_at(registers[i].offset, 4), registers[i].bits);
		CHECK_EQ(read_at(registers[i].offset, 1), registers[i].bits & 0xff);
		CHECK_EQ(read_at(registers[i].offset + 1, 1), registers[i].bits >> 8);
		write_at(registers[i].offset, 4, 0);
		CHECK_EQ(read_at(registers[i].offset, 4), 0);
	}
	CHECK_EQ(count, 0);
}

static void a_byte_sent_raises_the_transmit_interrupt(void **state)
{
	(void)state;
	CHECK_EQ(read_at(0x3c, 4), 0);
	write_at(0, 1, 'x');
	CHECK_EQ(read_at(0x3c, 4), 0x20);
	CHECK_EQ(read_at(0x40, 4), 0);
	write_at(0x38, 4, 0x20);
	CHECK_EQ(read_at(0x40, 4), 0x20);
	write_at(0x44, 4, 0x7ff);
	CHECK_EQ(read_at(0x3c, 4), 0);
	CHECK_EQ(read_at(0x40, 4), 0);
	CHECK_EQ(read_at(0x44, 4), 0);
}

/* Part number 0x011 by Arm (0x41), and the PrimeCell's mark. */
static void it_says_what_it_is(void **state)
{
	static const uint8_t mark[] = { 0x0d, 0xf0, 0x05, 0xb1 };
	uint64_t id = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		id |= read_at(0xfe0 + 4 * i, 4) << (8 * i);
		CHECK_EQ(read_at(0xff0 + 4 * i, 4), mark[i]);
	}
	CHECK_EQ(id & 0xfffff, 0x41011);
	write_at(0xfe0, 4, 0);
	CHECK_EQ(read_at(0xfe0, 4), 0x11);
}

enum {
	DR = 0,
	RSR = 4,
	FR = 0x18,
	LCR_H = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	MIS = 0x40,
	ICR = 0x44,
	CR_LOOP = 0x381, /* enabled, both ways, loop back */
};

/* 8 bits, FIFOs on; loop back. */
static void enter_loop(void)
{
	write_at(LCR_H, 4, 0x70);
	write_at(CR, 4, CR_LOOP);
}

static void in_loop_back_a_byte_comes_back_and_none_goes_out(void **state)
{
	(void)state;
	enter_loop();
	CHECK_EQ(read_at(FR, 4), 0x90);
	for (unsigned byte = 0; byte < 256; byte++) {
		write_at(DR, 1, byte);
		CHECK_EQ(read_at(FR, 4), 0x80);
		CHECK_EQ(read_at(DR, 4), byte);
	}
	CHECK_EQ(read_at(FR, 4), 0x90);
	CHECK_EQ(read_at(DR, 4), 0);
	CHECK_EQ(count, 0);
	write_at(LCR_H, 4, 0x30); /* 6 bits */
	write_at(DR, 1, 0xff);
	CHECK_EQ(read_at(DR, 4), 0x3f);
	/* Off, or one way only: the byte is lost, and heard by nobody. */
	for (unsigned cr = 0; cr < 8; cr++) {
		write_at(CR, 4, 0x80 | (cr & 1) | (cr & 6) << 7);
		write_at(DR, 1, '!');
		CHECK_EQ(read_at(FR, 4), cr == 7 ? 0x80 : 0x90);
	}
	CHECK_EQ(read_at(DR, 4), '!');
	write_at(CR, 4, 0x301);
	write_at(DR, 1, 'x');
	CHECK_EQ(read_at(FR, 4), 0x90);
	CHECK_EQ(count, 1);
}

static void the_fifo_fills_and_overruns(void **state)
{
	(void)state;
	enter_loop();
	for (unsigned i = 0; i < 16; i++) {
		CHECK_EQ(read_at(FR, 4) & 0x40, 0);
		write_at(DR, 1, i);
	}
	CHECK_EQ(read_at(FR, 4), 0xc0);
	CHECK_EQ(read_at(RIS, 4) & 0x400, 0);
	CHECK_EQ(read_at(RSR, 4), 0);
	write_at(DR, 1, 99);
	CHECK_EQ(read_at(RIS, 4) & 0x400, 0x400);
	CHECK_EQ(read_at(RSR, 4), 8);
	CHECK_EQ(read_at(DR, 4), 0x800);
	CHECK_EQ(read_at(RSR, 4), 8);
	write_at(DR, 1, 16); /* there is room again */
	for (unsigned i = 1; i <= 16; i++)
		CHECK_EQ(read_at(DR, 4), i);
	CHECK_EQ(read_at(RSR, 4), 8);
	write_at(RSR, 4, 0);
	CHECK_EQ(read_at(RSR, 4), 0);
	/* Without FIFOs there is room for one; switching them off empties, switching them on does not. */
	write_at(DR, 1, 1);
	write_at(LCR_H, 4, 0x60);
	CHECK_EQ(read_at(FR, 4), 0x90);
	write_at(DR, 1, 7);
	CHECK_EQ(read_at(FR, 4), 0xc0);
	write_at(DR, 1, 8);
	CHECK_EQ(read_at(DR, 4), 0x807);
	CHECK_EQ(read_at(FR, 4), 0x90);
	write_at(DR, 1, 9);
	write_at(LCR_H, 4, 0x70);
	CHECK_EQ(read_at(FR, 4) & 0x10, 0);
	CHECK_EQ(read_at(DR, 4) & 0xff, 9);
	CHECK_EQ(read_at(FR, 4), 0x90);
}

/* 3.3.9: at 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO. */
static void receiving_is_an_interrupt(void **state)
{
	static const uint8_t levels[] = { 2, 4, 8, 12, 14 };

	(void)state;
	enter_loop();
	for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
		write_at(IFLS, 4, i << 3);
		for (unsigned n = 1; n <= levels[i]; n++) {
			write_at(DR, 1, n);
			CHECK_EQ(read_at(RIS, 4), n < levels[i] ? 0x60 : 0x70);
		}
		CHECK_EQ(read_at(MIS, 4), 0);
		write_at(IMSC, 4, 0x10);
		CHECK_EQ(read_at(MIS, 4), 0x10);
		write_at(IMSC, 4, 0);
		read_at(DR, 4);
		CHECK_EQ(read_at(RIS, 4), 0x60); /* below it again */
		while (!(read_at(FR, 4) & 0x10))
			read_at(DR, 4);
		CHECK_EQ(read_at(RIS, 4), 0x20); /* empty: nothing times out */
		write_at(ICR, 4, 0x7ff);
		CHECK_EQ(read_at(RIS, 4), 0);
	}
}

/* RTS, DTR, OUT1 and OUT2 are CTS, DSR, DCD and RI; a change of each is an interrupt. */
static void the_modem_lines_go_round(void **state)
{
	static const struct {
		uint16_t cr, fr, ris;
	} lines[] = { { 0x800, 0x1, 0x2 }, { 0x400, 0x2, 0x8 }, { 0x1000, 0x4, 0x4 }, { 0x2000, 0x100, 0x1 } };

	(void)state;
	write_at(CR, 4, 0x3f01);
	CHECK_EQ(read_at(FR, 4), 0x90);
	write_at(CR, 4, CR_LOOP);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		write_at(CR, 4, CR_LOOP | lines[i].cr);
		CHECK_EQ(read_at(FR, 4), 0x90u | lines[i].fr);
		CHECK_EQ(read_at(RIS, 4), lines[i].ris);
		write_at(ICR, 4, lines[i].ris);
		write_at(CR, 4, CR_LOOP);
		CHECK_EQ(read_at(FR, 4), 0x90);
		CHECK_EQ(read_at(RIS, 4), lines[i].ris);
		write_at(ICR, 4, lines[i].ris);
	}
	write_at(CR, 4, CR_LOOP | 0x3c00);
	CHECK_EQ(read_at(FR, 4), 0x197);
	write_at(CR, 4, 0x301 | 0x3c00); /* no modem again */
	CHECK_EQ(read_at(FR, 4), 0x90);
}

static void a_break_goes_round(void **state)
{
	(void)state;
	write_at(LCR_H, 4, 0x71);
	CHECK_EQ(read_at(FR, 4), 0x90);
	enter_loop();
	write_at(LCR_H, 4, 0x71);
	write_at(LCR_H, 4, 0x70);
	CHECK_EQ(read_at(RIS, 4), 0x240);
	CHECK_EQ(read_at(DR, 4), 0x400);
	CHECK_EQ(read_at(RSR, 4), 4);
	write_at(DR, 1, 'a');
	CHECK_EQ(read_at(DR, 4), 'a');
	CHECK_EQ(read_at(RSR, 4), 0);
	CHECK_EQ(count, 0);
}

/* What is typed is received, up to the FIFO's size, once receiving is on; the line follows the masked interrupts. */
static void what_is_typed_interrupts(void **state)
{
	(void)state;
	CHECK(!device_type(&table, 'a'), "%s", "it is off");
	write_at(0x30, 4, 0x301);
	CHECK(!device_type(&table, 'a'), "%s", "nobody asks for it yet");
	for (unsigned i = 0; i < CONSOLE_POLLS; i++)
		read_at(0x18, 4);
	CHECK(device_type(&table, 'a') && !device_type(&table, 'b'), "%s", "without FIFOs there is room for one");
	CHECK(line == 0 && !device_listens(&table), "%u", line);
	write_at(0x38, 4, 0x50);
	CHECK(line == 33 && device_listens(&table), "%u", line);
	CHECK_EQ(read_at(0, 4), 'a');
	CHECK_EQ(line, 0);
	write_at(0x2c, 4, 0x10);
	for (unsigned i = 0; i < 16; i++)
		CHECK(device_type(&table, (uint8_t)i), "%u", i);
	CHECK(!device_type(&table, 16), "%s", "the FIFO is full");
	CHECK_EQ(line, 33);
	write_at(0x44, 4, 0x7ff);
	CHECK_EQ(line, 0);
}

/* Every offset and size: nothing outside `value`'s width comes back, nothing breaks. */
static void all_accesses_are_answered(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < 0x1000; offset++) {
		for (uint8_t size = 1; size <= 8; size *= 2) {
			CHECK_EQ(read_at(offset, size) & ~(~UINT64_C(0) >> (64 - 8 * size)), 0);
			if (offset >= 4)
				write_at(offset, size, ~UINT64_C(0));
		}
	}
	CHECK_EQ(count, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_where_it_was_put),
		TEST(bytes_go_to_the_console),
		TEST(registers_keep_what_they_have_room_for),
		TEST(a_byte_sent_raises_the_transmit_interrupt),
		TEST(it_says_what_it_is),
		TEST(in_loop_back_a_byte_comes_back_and_none_goes_out),
		TEST(the_fifo_fills_and_overruns),
		TEST(receiving_is_an_interrupt),
		TEST(the_modem_lines_go_round),
		TEST(a_break_goes_round),
		TEST(what_is_typed_interrupts),
		TEST(all_accesses_are_answered),
	};

	return cmocka_run_group_tests_name("vpl011", tests, NULL, NULL);
}
