/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550A that a guest sees: National Semiconductor PC16550D, "Registers". */
#include "vmm/devices/v16550.h"

#include <string.h>

#include "drivers/console.h"
#include "tests/host/host.h"

#define BASE 0x3f8

enum { DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7, LOOP = 0x10 };

static struct v16550 uart;
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
	v16550_init(&uart, IO_PORT, BASE, 4);
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .console = &stream, .set_line = set_line };
	line = 0;
	device_add(&table, &uart.device);
	console_set_sink(sink);
	count = 0;
	return 0;
}

static uint64_t read_wide(uint64_t offset, uint8_t size)
{
	struct io_access io = { .space = IO_PORT, .size = size, .addr = BASE + offset, .value = 0xdeadbeefdeadbeef };

	uart.device.access(&uart.device, offset, &io);
	return io.value;
}

static void write_wide(uint64_t offset, uint8_t size, uint64_t value)
{
	struct io_access io = { .space = IO_PORT, .size = size, .write = true, .addr = BASE + offset, .value = value };

	uart.device.access(&uart.device, offset, &io);
}

static uint8_t get(uint64_t offset)
{
	return (uint8_t)read_wide(offset, 1);
}

static void set(uint64_t offset, uint8_t value)
{
	write_wide(offset, 1, value);
}

/* 8 bits, FIFOs on, interrupt at `trigger` (FCR's two bits); loop mode. */
static void enter_loop(uint8_t trigger)
{
	set(LCR, 3);
	set(FCR, (uint8_t)(7 | trigger << 6));
	set(MCR, LOOP);
	get(MSR);
}

/* Table I, "Reset". The lines are those of somebody who listens. */
static void it_begins_as_after_reset(void **state)
{
	static const uint8_t reset[] = { 0, 0, 1, 0, 0, 0x60, 0xb0, 0 };

	(void)state;
	CHECK_EQ(uart.device.base, BASE);
	CHECK_EQ(uart.device.size, 8);
	for (unsigned i = 0; i < ARRAY_LEN(reset); i++)
		CHECK(get(i) == reset[i], "register %u is %#x", i, get(i));
}

static void bytes_go_to_the_console(void **state)
{
	(void)state;
	for (const char *text = "a\r\nb"; *text; text++)
		set(DATA, (uint8_t)*text);
	CHECK_EQ(count, 3);
	assert_memory_equal(printed, "a\nb", 3);
	CHECK_EQ(get(LSR), 0x60);
	CHECK_EQ(get(DATA), 0);
}

static void registers_keep_what_they_have_room_for(void **state)
{
	(void)state;
	set(IER, 0xff);
	CHECK_EQ(get(IER), 0x0f);
	set(MCR, 0xff);
	CHECK_EQ(get(MCR), 0x1f);
	set(SCR, 0xa5);
	CHECK_EQ(get(SCR), 0xa5);
	set(LSR, 0xff);
	CHECK_EQ(get(LSR), 0x60);
	set(LCR, 0x80);
	write_wide(DATA, 2, 0x1234);
	CHECK_EQ(read_wide(DATA, 2), 0x1234);
	set(LCR, 0x7f);
	CHECK_EQ(get(LCR), 0x7f);
	CHECK_EQ(get(IER), 0x0f);
	CHECK_EQ(count, 0);
}

static void in_loop_mode_a_byte_comes_back_and_none_goes_out(void **state)
{
	(void)state;
	set(LCR, 3);
	set(MCR, LOOP);
	for (unsigned byte = 0; byte < 256; byte++) {
		CHECK_EQ(get(LSR), 0x60);
		set(DATA, (uint8_t)byte);
		CHECK_EQ(get(LSR), 0x61);
		CHECK_EQ(get(DATA), byte);
	}
	for (uint8_t bits = 5; bits <= 8; bits++) {
		set(LCR, (uint8_t)(bits - 5));
		set(DATA, 0xff);
		CHECK_EQ(get(DATA), 0xff >> (8 - bits));
	}
	CHECK_EQ(count, 0);
	set(DATA, '1');
	set(MCR, 0);
	CHECK_EQ(get(DATA), '1' & 0xff); /* received is received */
	set(DATA, '2');
	CHECK_EQ(get(LSR), 0x60);
	CHECK_EQ(count, 1);
}

static void fifos_come_and_go_empty(void **state)
{
	(void)state;
	enter_loop(0);
	CHECK_EQ(get(IIR), 0xc1);
	set(DATA, 1);
	set(FCR, 1); /* nothing changes */
	CHECK_EQ(get(LSR), 0x61);
	set(FCR, 3); /* clear what was received */
	CHECK_EQ(get(LSR), 0x60);
	set(DATA, 1);
	set(FCR, 5); /* clear what is to be sent: that is another */
	CHECK_EQ(get(LSR), 0x61);
	set(FCR, 0xc0); /* nothing is taken without the enable bit, and they are off */
	CHECK_EQ(get(LSR), 0x60);
	CHECK_EQ(get(IIR), 0x01);
	set(DATA, 1);
	set(FCR, 1); /* a driver that listens already does not lose what came before it switched them on */
	CHECK_EQ(get(LSR), 0x61);
	CHECK_EQ(get(DATA), 1);
}

static void a_byte_too_many_is_an_overrun(void **state)
{
	(void)state;
	set(LCR, 3);
	set(MCR, LOOP);
	set(DATA, 'a');
	set(DATA, 'b');
	CHECK_EQ(get(LSR), 0x63);
	CHECK_EQ(get(LSR), 0x61); /* told once */
	CHECK_EQ(get(DATA), 'b'); /* without FIFOs the new one is there */
	enter_loop(0);
	for (uint8_t i = 0; i < 16; i++)
		set(DATA, i);
	CHECK_EQ(get(LSR), 0x61);
	set(DATA, 99);
	CHECK_EQ(get(LSR), 0x63);
	for (uint8_t i = 0; i < 16; i++)
		CHECK_EQ(get(DATA), i); /* with them it is lost */
	CHECK_EQ(get(LSR), 0x60);
}

/* DTR, RTS, OUT1 and OUT2 are DSR, CTS, RI and DCD. A change is told once; of RI, its end only. */
static void the_modem_lines_go_round(void **state)
{
	static const uint8_t lines[] = { 0x20, 0x10, 0x40, 0x80 };

	(void)state;
	set(MCR, LOOP);
	CHECK_EQ(get(MSR), 0x0b); /* CTS, DSR and DCD are gone */
	CHECK_EQ(get(MSR), 0x00);
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		set(MCR, (uint8_t)(LOOP | 1 << i));
		CHECK_EQ(get(MSR), lines[i] | (lines[i] == 0x40 ? 0 : lines[i] >> 4));
		CHECK_EQ(get(MSR), lines[i]);
		set(MCR, LOOP);
		CHECK_EQ(get(MSR), lines[i] >> 4);
	}
	set(MCR, LOOP | 0x0a); /* as Linux' autoconfig does it */
	CHECK_EQ(get(MSR) & 0xf0, 0x90);
	set(MCR, 0x0a);
	CHECK_EQ(get(MSR) & 0xf0, 0xb0);
}

/* Table IV: line status, received data, transmitter empty, modem status. */
static void interrupts_have_an_order(void **state)
{
	(void)state;
	enter_loop(1); /* from 4 bytes on */
	set(IER, 0x0f);
	for (uint8_t i = 0; i < 17; i++)
		set(DATA, i);
	set(MCR, LOOP | 1);
	CHECK_EQ(get(IIR), 0xc6);
	get(LSR);
	CHECK_EQ(get(IIR), 0xc4);
	for (unsigned left = 15; left >= 4; left--) {
		get(DATA);
		CHECK_EQ(get(IIR), 0xc4);
	}
	get(DATA);
	CHECK_EQ(get(IIR), 0xcc); /* no more come */
	while (get(LSR) & 1)
		get(DATA);
	CHECK_EQ(get(IIR), 0xc2);
	CHECK_EQ(get(IIR), 0xc0); /* to have told it is enough */
	get(MSR);
	CHECK_EQ(get(IIR), 0xc1);
	set(DATA, 'x');
	get(DATA);
	CHECK_EQ(get(IIR), 0xc2);
	/* Who asks anew is told anew. */
	set(IER, 0);
	CHECK_EQ(get(IIR), 0xc1);
	set(IER, 2);
	CHECK_EQ(get(IIR), 0xc2);
	CHECK_EQ(get(IIR), 0xc1);
	/* None that is not enabled. */
	set(IER, 0);
	set(DATA, 'y');
	set(MCR, LOOP | 2);
	CHECK_EQ(get(IIR), 0xc1);
	set(IER, 8);
	CHECK_EQ(get(IIR), 0xc0);
	set(IER, 1);
	CHECK_EQ(get(IIR), 0xcc);
	set(FCR, 0); /* without FIFOs there is no waiting for more */
	set(DATA, 'z');
	CHECK_EQ(get(IIR), 0x04);
}

/* What is typed is received, up to the FIFO's size; the line follows, where OUT2 connects it. */
static void what_is_typed_interrupts(void **state)
{
	(void)state;
	CHECK(!device_listens(&table) && !device_type(&table, 'a'), "%s", "nobody asks for it yet");
	for (unsigned i = 0; i < CONSOLE_POLLS; i++)
		get(LSR);
	CHECK(device_type(&table, 'a') && !device_type(&table, 'b'), "%s", "without FIFOs there is room for one");
	set(IER, 0x01);
	CHECK_EQ(line, 0);
	set(MCR, 0x08);
	CHECK_EQ(line, 4);
	CHECK(device_listens(&table), "%s", "it does");
	CHECK_EQ(get(DATA), 'a');
	CHECK_EQ(line, 0);
	set(FCR, 0x01);
	for (unsigned i = 0; i < 16; i++)
		CHECK(device_type(&table, (uint8_t)i), "%u", i);
	CHECK(!device_type(&table, 16), "%s", "the FIFO is full");
	CHECK_EQ(line, 4);
	set(MCR, 0x18);
	CHECK_EQ(line, 0);
	CHECK(!device_type(&table, 17) && !device_listens(&table), "%s", "in loop mode nobody is connected");
}

/* Every offset and size: an answer for each byte of it, ones beyond the registers. */
static void all_accesses_are_answered(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < 8; offset++) {
		for (uint8_t size = 1; size <= 8; size *= 2) {
			uint64_t value = read_wide(offset, size);

			CHECK_EQ(value & ~(~UINT64_C(0) >> (64 - 8 * size)), 0);
			for (unsigned i = 0; i < size; i++)
				CHECK(offset + i < 8 || (value >> (8 * i) & 0xff) == 0xff, "%ju: %#jx", (uintmax_t)offset,
				      (uintmax_t)value);
			if (offset > 0)
				write_wide(offset, size, ~UINT64_C(0));
		}
	}
	CHECK_EQ(count, 0);
}

static void ports_where_nothing_is_are_known(void **state)
{
	(void)state;
	for (unsigned i = 0; i < UNCLAIMED_LOGGED; i++) {
		struct io_access io = { .space = IO_PORT, .size = 4, .addr = 0xcfc };

		CHECK(!device_port_is_void(&table, 0xcfc), "there is something to log yet");
		device_access(&table, &io);
		CHECK_EQ(io.value, UINT32_MAX);
	}
	for (unsigned port = 0; port <= UINT16_MAX; port++)
		if (device_at(&table, IO_PORT, port))
			CHECK(!device_port_is_void(&table, (uint16_t)port), "port %#x is the UART's", port);
	CHECK(device_port_is_void(&table, 0xcf8), "nothing is there");
	CHECK(device_port_is_void(&table, 0xcfc), "nothing is there");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_begins_as_after_reset),
		TEST(bytes_go_to_the_console),
		TEST(registers_keep_what_they_have_room_for),
		TEST(in_loop_mode_a_byte_comes_back_and_none_goes_out),
		TEST(fifos_come_and_go_empty),
		TEST(a_byte_too_many_is_an_overrun),
		TEST(the_modem_lines_go_round),
		TEST(interrupts_have_an_order),
		TEST(what_is_typed_interrupts),
		TEST(all_accesses_are_answered),
		TEST(ports_where_nothing_is_are_known),
	};

	return cmocka_run_group_tests_name("v16550", tests, NULL, NULL);
}
