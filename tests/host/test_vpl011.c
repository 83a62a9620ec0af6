/* SPDX-License-Identifier: BSD-2-Clause */
/* The PL011 that a guest sees. */
#include "drivers/vpl011.h"

#include <string.h>

#include "drivers/console.h"
#include "tests/host/host.h"

#define BASE 0x9000000

static struct vpl011 uart;
static char printed[64];
static size_t count;

static void sink(const char *bytes, size_t size)
{
	assert_true(count + size <= sizeof(printed));
	memcpy(printed + count, bytes, size);
	count += size;
}

static int setup(void **state)
{
	(void)state;
	memset(&uart, 0xff, sizeof(uart));
	vpl011_init(&uart, BASE);
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
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = true, .addr = BASE + offset,
				.value = value };

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
		{ 0x20, 0, 0xff }, { 0x24, 0, 0xffff }, { 0x28, 0, 0x3f }, { 0x2c, 0, 0xff },
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
		TEST(all_accesses_are_answered),
	};

	return cmocka_run_group_tests_name("vpl011", tests, NULL, NULL);
}
