/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyboard: each byte comes to one VM, once and in its turn. */
#include "vmm/keyboard.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/serial.h"
#include "include/arch/cpu.h"
#include "tests/host/host.h"
#include "vmm/vms.h"

/* The port: bytes that are numbered by a counter, as many as have been typed. */
static struct {
	bool there;
	uint64_t typed, read;
} port;

/* A console with room for a few bytes, which checks that they come in turn. */
struct console {
	struct vm vm;
	struct io_device device;
	uint64_t heard;
	unsigned room, used;
};

static struct console consoles[3];
static uint64_t now, heard;
static bool tidies_up; /* after a test: what has been typed is taken */

bool serial_takes_input(void)
{
	return port.there;
}

bool serial_read(uint8_t *byte)
{
	if (port.read == port.typed)
		return false;
	*byte = (uint8_t)port.read++;
	return true;
}

uint64_t arch_clock_frequency(void)
{
	return 1000000;
}

static bool receive(struct io_device *device, uint8_t byte)
{
	struct console *console = CONTAINER_OF(device, struct console, device);

	if (tidies_up)
		return true;
	if (console->used == console->room)
		return false;
	CHECK_EQ(byte, (uint8_t)heard);
	heard++;
	console->heard++;
	console->used++;
	return true;
}

static void start(unsigned i)
{
	struct console *console = &consoles[i];

	console->vm.number = i;
	spin_init(&console->vm.devices.lock, LOCK_DEVICES);
	console->device.receive = receive;
	console->room = 16;
	device_add(&console->vm.devices, &console->device);
	vms_add(&console->vm);
}

static enum keyboard_filtered pass_all(uint8_t byte)
{
	(void)byte;
	return KEYBOARD_PASSED;
}

static int setup(void **state)
{
	(void)state;
	memset(consoles, 0, sizeof(consoles));
	heard = port.read = port.typed = 0;
	port.there = true;
	keyboard_open(pass_all);
	return 0;
}

static void look(void)
{
	now += KEYBOARD_INTERVAL;
	keyboard_poll(now);
}

static int end(void **state)
{
	(void)state;
	port.typed = port.read;
	tidies_up = true;
	look();
	tidies_up = false;
	for (unsigned i = 0; i < ARRAY_LEN(consoles); i++)
		if (consoles[i].room)
			vms_remove(&consoles[i].vm);
	return 0;
}

static void read_all(unsigned i)
{
	consoles[i].used = 0;
}

/* This test comes first: a keyboard that has been opened stays open. */
static void a_screen_has_none(void **state)
{
	(void)state;
	port.there = false;
	keyboard_open(pass_all);
	assert_false(keyboard_is_open());
	port.typed = 1;
	keyboard_poll(UINT64_MAX - 1);
	CHECK_EQ(port.read, 0);
	CHECK_EQ(keyboard_watch(), NEVER);
	port.typed = 0;
}

static void what_is_typed_comes_in_turn(void **state)
{
	(void)state;
	start(0);
	port.typed = 5;
	look();
	CHECK_EQ(consoles[0].heard, 5);
	port.typed = 100;
	for (unsigned i = 0; i < 10; i++) {
		look();
		read_all(0);
	}
	CHECK_EQ(heard, 100);
}

/* No more is read than there is room for, and all of it comes when the VM reads at last. */
static void one_that_never_reads_holds_the_port(void **state)
{
	(void)state;
	start(0);
	port.typed = 10 * KEYBOARD_ROOM;
	for (unsigned i = 0; i < KEYBOARD_ROOM; i++)
		look();
	CHECK_EQ(heard, 16);
	CHECK_EQ(port.read, KEYBOARD_ROOM + 16);
	while (heard < port.typed) {
		uint64_t before = heard;

		read_all(0);
		look();
		assert_true(heard > before);
	}
}

/* A look takes a bounded time, whatever the port does. */
static void a_flood_does_not_hold_the_cpu(void **state)
{
	(void)state;
	start(0);
	port.typed = UINT64_MAX;
	look();
	CHECK(port.read <= 64, "%lu bytes at a time", port.read);
}

static void it_is_not_looked_at_all_the_time(void **state)
{
	(void)state;
	start(0);
	look();
	port.typed = 1;
	keyboard_poll(now + KEYBOARD_INTERVAL - 1);
	CHECK_EQ(port.read, 0);
	keyboard_poll(now + KEYBOARD_INTERVAL);
	CHECK_EQ(port.read, 1);
	/* One that has taken what it had room for gets the rest soon. */
	port.typed = 40;
	now += 2 * KEYBOARD_INTERVAL;
	keyboard_poll(now);
	CHECK_EQ(heard, 16);
	read_all(0);
	keyboard_poll(now + KEYBOARD_INTERVAL / 10);
	CHECK_EQ(heard, 32);
	now += KEYBOARD_INTERVAL;
}

/* The first one that starts has it, then the next one, and so round. */
static void it_goes_to_the_next(void **state)
{
	(void)state;
	port.typed = 3;
	look();
	CHECK_EQ(heard, 0);
	start(1);
	start(0);
	look();
	CHECK_EQ(consoles[1].heard, 3);
	start(2);
	vms_remove(&consoles[1].vm);
	consoles[1].room = 0;
	/* What the one that is gone has not read is the next one's. */
	port.typed = 10;
	look();
	CHECK_EQ(consoles[2].heard, 7);
	vms_remove(&consoles[2].vm);
	consoles[2].room = 0;
	port.typed = 11;
	look();
	CHECK_EQ(consoles[0].heard, 1);
	vms_remove(&consoles[0].vm);
	consoles[0].room = 0;
	assert_null(vms_get_typed());
}

static char shown[256];

static void show(const char *bytes, size_t size)
{
	size_t used = strlen(shown);

	assert_true(used + size < sizeof(shown));
	memcpy(shown + used, bytes, size);
	shown[used + size] = '\0';
}

static void print(unsigned i, const char *text)
{
	console_stream_write(&consoles[i].vm.console, text, strlen(text));
}

static void start_named(unsigned i, const char *name)
{
	start(i);
	strcpy(consoles[i].vm.console.name, name);
	consoles[i].vm.console.by_line = true;
}

/* A prompt is there soon of who reads what is typed, and else after a while; of who has not the keyboard, never. */
static void prompts_are_shown(void **state)
{
	(void)state;
	shown[0] = '\0';
	console_set_sink(show);
	start_named(1, "web");
	start_named(2, "db");
	print(1, "login: ");
	print(2, "half");
	for (unsigned i = 0; i < 9; i++)
		look();
	assert_string_equal(shown, "");
	look();
	look();
	assert_string_equal(shown, "web: login: ");
	port.typed = 3;
	look();
	print(1, "roo");
	look();
	look();
	assert_string_equal(shown, "web: login: roo");
	print(2, " a line\n");
	look();
	print(1, "t\n");
	assert_string_equal(shown, "web: login: roo\ndb: half a line\nweb: login: root\n");
	console_set_sink(NULL);
}

/* Of CPUs that sleep one wakes to look. */
static void one_cpu_watches(void **state)
{
	uint64_t first;

	(void)state;
	look();
	first = keyboard_watch();
	CHECK_EQ(first, now + KEYBOARD_INTERVAL);
	CHECK_EQ(keyboard_watch(), NEVER);
	keyboard_unwatch(NEVER);
	CHECK_EQ(keyboard_watch(), NEVER);
	keyboard_unwatch(first);
	CHECK_EQ(keyboard_watch(), first);
	keyboard_unwatch(first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_screen_has_none),
		TEST(what_is_typed_comes_in_turn),
		TEST(one_that_never_reads_holds_the_port),
		TEST(a_flood_does_not_hold_the_cpu),
		TEST(it_is_not_looked_at_all_the_time),
		TEST(it_goes_to_the_next),
		TEST(prompts_are_shown),
		TEST(one_cpu_watches),
	};

	return cmocka_run_group_tests_name("keyboard", tests, NULL, NULL);
}
