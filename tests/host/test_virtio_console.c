/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio console: what is printed, what is typed, and who gets the keyboard. */
#include "vmm/devices/virtio_console.h"

#include <string.h>

#include "tests/host/virtio.h"
#include "vmm/devices/v16550.h"

#define BASE     0xa000000
#define LINE     5
#define RAM      MIB(8)
#define RECEIVE  MIB(1) /* queues */
#define TRANSMIT (MIB(1) + 2 * PAGE_SIZE)
#define BUFFER   MIB(2)

static struct virtio_console device;
static struct virtio_machine machine;
static struct space *space;

static void go(void)
{
	assert_true(driver_begin(&machine, VIRTIO_F_VERSION_1));
	driver_queue(&machine, 0, RECEIVE, QUEUE_SIZE);
	driver_queue(&machine, 1, TRANSMIT, QUEUE_SIZE);
	driver_go(&machine);
}

static void set_up(void **state)
{
	space = *state;
	CHECK_ERR(space_alloc(space, 0, RAM, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	virtio_console_init(&device, BASE, LINE);
	virtio_machine(&machine, space, &device.virtio.device);
	go();
}

static void describe(uint64_t queue, unsigned index, uint64_t at, uint32_t length, uint16_t flags)
{
	driver_describe(&machine, queue, index, (struct virtio_descriptor){ at, length, flags, (uint16_t)(index + 1) });
}

static void put(uint64_t at, const char *text)
{
	CHECK_ERR(addr_space_write(&space->as, GPA(at), text, strlen(text)), ERR_OK);
}

/* A line of its own, which no test asks for. */
static void send_first(void)
{
	put(MIB(4), "first\n");
	describe(TRANSMIT, 0, MIB(4), 6, 0);
	driver_offer(&machine, TRANSMIT, 0, 0);
	driver_notify(&machine, 1);
	driver_write(&machine, REG_INTERRUPT_ACK, 1);
	machine.raised = 0;
}

static bool says(uint64_t at, const char *text)
{
	char bytes[100];

	CHECK_ERR(addr_space_read(&space->as, GPA(at), bytes, strlen(text)), ERR_OK);
	return memcmp(bytes, text, strlen(text)) == 0;
}

/* Returns how many of them were taken. */
static size_t type(const char *text)
{
	size_t taken = 0;

	while (text[taken] && device_type(&machine.table, (uint8_t)text[taken]))
		taken++;
	return taken;
}

/* What was printed ends with that. */
static bool printed(const char *text)
{
	char last[CONSOLE_LAST_ROOM];
	size_t have = console_stream_last(&machine.console, last), size = strlen(text);

	return have >= size && memcmp(last + have - size, text, size) == 0;
}

static void what_is_sent_is_printed(void **state)
{
	set_up(state);
	CHECK_EQ(driver_read(&machine, 8), 3);
	put(BUFFER, "one li");
	put(MIB(3), "ne\r\nanother\n");
	describe(TRANSMIT, 0, BUFFER, 6, DESC_NEXT);
	describe(TRANSMIT, 1, MIB(3), 12, 0);
	driver_offer(&machine, TRANSMIT, 0, 0);
	driver_notify(&machine, 1);
	CHECK_EQ(driver_used(&machine, TRANSMIT), 1);
	assert_true(printed("one line\nanother\n"));
	CHECK_EQ(machine.raised, 1);
}

/* A piece is what a serial line prints in some milliseconds. */
static void a_piece_is_bounded(void **state)
{
	set_up(state);
	describe(TRANSMIT, 0, BUFFER, 6400, 0);
	driver_offer(&machine, TRANSMIT, 0, 0);
	driver_notify(&machine, 1);
	CHECK_EQ(driver_used(&machine, TRANSMIT), 1);
	assert_in_range(machine.pieces, 100, 102);
}

static void what_is_typed_is_received(void **state)
{
	set_up(state);
	send_first();
	for (unsigned i = 0; i < 3; i++) {
		describe(RECEIVE, i, BUFFER + i * PAGE_SIZE, 8, DESC_WRITE);
		driver_offer(&machine, RECEIVE, (uint16_t)i, (uint16_t)i);
	}
	driver_notify(&machine, 0);
	CHECK_EQ(driver_used(&machine, RECEIVE), 0); /* it waits for something to be typed */
	assert_true(device_listens(&machine.table));
	CHECK_EQ(type("ab"), 2);
	CHECK_EQ(driver_used(&machine, RECEIVE), 2);
	assert_true(says(BUFFER, "a") && says(BUFFER + PAGE_SIZE, "b"));
	assert_true(machine.raised > 0);
}

/* It keeps some; what it has no room for stays where it is. All of it comes as soon as there are buffers, in turn. */
static void nothing_is_lost_without_buffers(void **state)
{
	char text[VIRTIO_CONSOLE_ROOM + 10];

	set_up(state);
	send_first();
	CHECK_EQ(type("0123456789"), 10);
	describe(RECEIVE, 0, BUFFER, 4, DESC_WRITE);
	driver_offer(&machine, RECEIVE, 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(driver_used(&machine, RECEIVE), 1);
	assert_true(says(BUFFER, "0123"));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	CHECK_EQ(type(text), VIRTIO_CONSOLE_ROOM - 6);
	/* From the end of the ring to its beginning. */
	for (uint16_t i = 1; i < 4; i++) {
		describe(RECEIVE, i, BUFFER + i * 100, 100, DESC_WRITE);
		driver_offer(&machine, RECEIVE, i, i);
	}
	driver_notify(&machine, 0);
	CHECK_EQ(driver_used(&machine, RECEIVE), 3);
	assert_true(says(BUFFER + 100, "456789xxxx") && says(BUFFER + 200, "xxxx"));
	CHECK_EQ(type("y"), 1);
	CHECK_EQ(driver_used(&machine, RECEIVE), 4);
	assert_true(says(BUFFER + 300, "y"));
}

static void odd_chains_do_no_harm(void **state)
{
	set_up(state);
	send_first();
	describe(RECEIVE, 0, BUFFER, 8, DESC_NEXT); /* not to be written */
	describe(RECEIVE, 1, BUFFER, 0, DESC_WRITE | DESC_NEXT);
	describe(RECEIVE, 2, BUFFER + 8, 8, DESC_WRITE);
	describe(RECEIVE, 3, BUFFER, 8, 0);
	driver_offer(&machine, RECEIVE, 0, 0);
	driver_offer(&machine, RECEIVE, 1, 3);
	driver_notify(&machine, 0);
	CHECK_EQ(type("a"), 1);
	driver_work(&machine);
	assert_true(says(BUFFER + 8, "a"));
	CHECK_EQ(type("b"), 1);
	driver_work(&machine);
	CHECK_EQ(driver_used(&machine, RECEIVE), 2); /* the second one had no room */
	describe(RECEIVE, 4, RAM, 8, DESC_WRITE);
	driver_offer(&machine, RECEIVE, 2, 4);
	driver_notify(&machine, 0);
	assert_true(driver_read(&machine, REG_STATUS) & STAT_NEEDS_RESET);
	/* It is the next driver's, when that has sent something. */
	go();
	describe(RECEIVE, 0, BUFFER, 8, DESC_WRITE);
	driver_offer(&machine, RECEIVE, 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(driver_used(&machine, RECEIVE), 0);
	send_first();
	CHECK_EQ(driver_used(&machine, RECEIVE), 1);
	assert_true(says(BUFFER, "b"));
}

/* Not the UART, though its driver listens, too: with its own it is only late. */
static void it_has_the_keyboard(void **state)
{
	static struct v16550 uart;
	struct io_access enable = { .space = IO_PORT, .size = 1, .write = true, .addr = 0x3f9, .value = 1 };
	struct io_access out2 = { .space = IO_PORT, .size = 1, .write = true, .addr = 0x3fc, .value = 8 };

	set_up(state);
	v16550_init(&uart, IO_PORT, 0x3f8, 0);
	machine.table.count = 0;
	device_add(&machine.table, &uart.device);
	device_add(&machine.table, &device.virtio.device);
	device_access(&machine.table, &enable);
	device_access(&machine.table, &out2);
	CHECK_EQ(type("a"), 1);
	driver_write(&machine, REG_STATUS, 0);
	assert_false(device_listens(&machine.table));
	CHECK_EQ(type("b"), 0);
	go();
	CHECK_EQ(type("b"), 1);
	CHECK_EQ(device.count, 2);
	CHECK_EQ(uart.rx_count, 0);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "what is sent is printed", what_is_sent_is_printed },
		{ "a piece is bounded", a_piece_is_bounded },
		{ "what is typed is received", what_is_typed_is_received },
		{ "nothing is lost without buffers", nothing_is_lost_without_buffers },
		{ "odd chains do no harm", odd_chains_do_no_harm },
		{ "it has the keyboard", it_has_the_keyboard },
	};

	return space_suite("virtio_console", tests, ARRAY_LEN(tests));
}
