/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APIC: edges and levels, masks, the remote IRR, and the end of an interrupt. */
#include "vmm/devices/ioapic.h"

#include <string.h>

#include "tests/host/host.h"

#define BASE 0xfec00000

static struct ioapic ioapic;
static struct device_table table;
static struct ioapic_message last;
static unsigned sent;
static bool takes;

static bool deliver(struct ioapic *from, const struct ioapic_message *message)
{
	assert_ptr_equal(from, &ioapic);
	last = *message;
	sent++;
	return takes;
}

static int setup(void **state)
{
	(void)state;
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES) };
	ioapic_init(&ioapic, BASE, deliver);
	device_add(&table, &ioapic.device);
	sent = 0;
	takes = true;
	return 0;
}

static uint64_t access_sized(uint64_t offset, bool write, uint64_t value, uint8_t size)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = write, .addr = BASE + offset, .value = value };

	device_access(&table, &io);
	return io.value;
}

static uint32_t read_register(uint8_t index)
{
	access_sized(0, true, index, 4);
	return (uint32_t)access_sized(0x10, false, 0, 4);
}

static void write_register(uint8_t index, uint32_t value)
{
	access_sized(0, true, index, 4);
	access_sized(0x10, true, value, 4);
}

static void write_entry(unsigned input, uint64_t value)
{
	write_register((uint8_t)(0x11 + 2 * input), (uint32_t)(value >> 32));
	write_register((uint8_t)(0x10 + 2 * input), (uint32_t)value);
}

#define LEVEL  (1u << 15)
#define MASKED (1u << 16)
#define REMOTE (1u << 14)

static void registers_keep_what_is_writable(void **state)
{
	(void)state;
	assert_int_equal(read_register(0), 0);
	assert_int_equal(read_register(1), 0x170020);
	for (uint8_t i = 0; i < 24; i++)
		assert_int_equal(read_register((uint8_t)(0x10 + 2 * i)), MASKED);
	assert_int_equal(read_register(0x40), 0);
	assert_int_equal(read_register(0xff), 0);
	write_register(0, 0xffffffff);
	assert_int_equal(read_register(0), 0x0f000000);
	write_register(1, 0);
	assert_int_equal(read_register(1), 0x170020);
	/* Delivery status and remote IRR are not to be written. */
	write_entry(3, ~UINT64_C(0));
	assert_int_equal(read_register(0x16), 0x1afff);
	assert_int_equal(read_register(0x17), 0xff000000);
	assert_int_equal(sent, 0);
}

/* Whatever their size, accesses do what a register of 32 bits can take, or nothing. */
static void accesses_of_other_sizes_change_nothing(void **state)
{
	static const uint8_t sizes[] = { 1, 2, 8 };

	(void)state;
	write_register(0x16, 0x10031);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		access_sized(0, true, 0x16, sizes[i]);
		assert_int_equal(access_sized(0, false, 0, 4), 0x16);
		access_sized(0x10, true, 0, sizes[i]);
		assert_true(access_sized(0x10, false, 0, sizes[i]) == ~UINT64_C(0) >> (64 - 8 * sizes[i]));
	}
	assert_int_equal(read_register(0x16), 0x10031);
	assert_int_equal(access_sized(0x123, false, 0, 4), 0xffffffff);
	access_sized(0x123, true, 0, 4);
}

static void an_edge_is_sent_once(void **state)
{
	(void)state;
	ioapic_set_line(&ioapic, 5, true); /* masked: it is lost */
	ioapic_set_line(&ioapic, 5, false);
	write_entry(5, UINT64_C(3) << 56 | 0x41);
	assert_int_equal(sent, 0);
	ioapic_set_line(&ioapic, 5, true);
	assert_int_equal(sent, 1);
	assert_int_equal(last.vector, 0x41);
	assert_int_equal(last.destination, 3);
	assert_false(last.level || last.logical);
	assert_int_equal(last.mode, DELIVER_FIXED);
	ioapic_set_line(&ioapic, 5, true);
	assert_int_equal(sent, 1);
	ioapic_set_line(&ioapic, 5, false);
	ioapic_set_line(&ioapic, 5, true);
	assert_int_equal(sent, 2);
	assert_false(read_register(0x1a) & REMOTE);
	ioapic_end(&ioapic, 0x41);
	assert_int_equal(sent, 2);
}

static void a_level_is_sent_again_until_it_is_gone(void **state)
{
	(void)state;
	ioapic_set_line(&ioapic, 4, true);
	write_entry(4, UINT64_C(1) << 56 | LEVEL | 0x900 | 0x52); /* lowest priority, logical */
	assert_int_equal(sent, 1);
	assert_true(last.level && last.logical);
	assert_int_equal(last.mode, DELIVER_LOWEST);
	assert_true(read_register(0x18) & REMOTE);
	ioapic_set_line(&ioapic, 4, true);
	assert_int_equal(sent, 1);
	ioapic_end(&ioapic, 0x51); /* another one's */
	assert_int_equal(sent, 1);
	ioapic_end(&ioapic, 0x52); /* it is still there */
	assert_int_equal(sent, 2);
	ioapic_set_line(&ioapic, 4, false);
	access_sized(0x40, true, 0x52, 4);
	assert_int_equal(sent, 2);
	assert_false(read_register(0x18) & REMOTE);
	/* Masked while it is in service, and there again when it is not. */
	ioapic_set_line(&ioapic, 4, true);
	write_register(0x18, MASKED | LEVEL | 0x52);
	ioapic_end(&ioapic, 0x52);
	assert_int_equal(sent, 3);
	write_register(0x18, LEVEL | 0x52);
	assert_int_equal(sent, 4);
	/* An input for edges waits for no end. */
	write_register(0x18, 0x52);
	assert_false(read_register(0x18) & REMOTE);
}

/* What no local APIC takes is offered again when something changes. */
static void what_nobody_takes_is_offered_again(void **state)
{
	(void)state;
	takes = false;
	write_entry(4, UINT64_C(9) << 56 | LEVEL | 0x52);
	ioapic_set_line(&ioapic, 4, true);
	assert_int_equal(sent, 1);
	assert_false(read_register(0x18) & REMOTE);
	takes = true;
	write_register(0x19, 0);
	assert_int_equal(sent, 2);
	assert_true(read_register(0x18) & REMOTE);
}

/* An NMI of a level is one of an edge. */
static void an_nmi_waits_for_no_end(void **state)
{
	(void)state;
	write_entry(2, LEVEL | 0x400);
	assert_int_equal(sent, 0);
	ioapic_set_line(&ioapic, 2, true);
	assert_int_equal(sent, 1);
	assert_int_equal(last.mode, DELIVER_NMI);
	assert_false(last.level || read_register(0x14) & REMOTE);
}

static void there_are_24_inputs(void **state)
{
	(void)state;
	ioapic_set_line(&ioapic, 24, true);
	ioapic_set_line(&ioapic, ~0u, true);
	assert_int_equal(sent, 0);
	assert_int_equal(ioapic.asserted, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_keep_what_is_writable),
		TEST(accesses_of_other_sizes_change_nothing),
		TEST(an_edge_is_sent_once),
		TEST(a_level_is_sent_again_until_it_is_gone),
		TEST(what_nobody_takes_is_offered_again),
		TEST(an_nmi_waits_for_no_end),
		TEST(there_are_24_inputs),
	};

	return cmocka_run_group_tests_name("ioapic", tests, NULL, NULL);
}
