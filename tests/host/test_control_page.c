/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of the control page and of the panic device: what each access of whatever size does. */
#include "vmm/devices/control_page.h"

#include <string.h>

#include "tests/host/host.h"
#include "vmm/devices/pvpanic.h"

#define BASE  0x9100000
#define PORT  0x505
#define FIRST (UINT64_C(1) << 40 | 4096) /* figure 0; each next one is 1 KiB more */

static struct control_page page;
static struct pvpanic panic_device;
static struct device_table table;
static unsigned calls, last_vcpu, panics;
static uint64_t last_call;

static uint64_t figure(struct control_page *from, unsigned vcpu, unsigned number)
{
	assert_ptr_equal(from, &page);
	last_vcpu = vcpu;
	return FIRST + KIB(number);
}

static void make_call(struct control_page *from, unsigned vcpu, uint64_t number)
{
	assert_ptr_equal(from, &page);
	last_vcpu = vcpu;
	last_call = number;
	calls++;
}

static void panicked(struct pvpanic *from, unsigned vcpu)
{
	assert_ptr_equal(from, &panic_device);
	last_vcpu = vcpu;
	panics++;
}

static int setup(void **state)
{
	(void)state;
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES) };
	control_page_init(&page, BASE);
	page.figure = figure;
	page.make_call = make_call;
	pvpanic_init(&panic_device, IO_PORT, PORT, 1);
	panic_device.panicked = panicked;
	device_add(&table, &page.device);
	device_add(&table, &panic_device.device);
	calls = panics = 0;
	last_vcpu = 99;
	return 0;
}

static uint64_t access_to(enum io_space space, uint64_t addr, bool write, uint64_t value, uint8_t size)
{
	struct io_access io = { .space = space, .size = size, .write = write, .vcpu = 3, .addr = addr, .value = value };

	device_access(&table, &io);
	return io.value;
}

static uint64_t read(uint64_t offset, uint8_t size)
{
	return access_to(IO_MEMORY, BASE + offset, false, 0, size);
}

static void write(uint64_t offset, uint64_t value, uint8_t size)
{
	access_to(IO_MEMORY, BASE + offset, true, value, size);
}

static void whole_and_by_halves(void **state)
{
	(void)state;
	CHECK_EQ(read(CONTROL_ID, 4), CONTROL_MAGIC);
	CHECK_EQ(read(CONTROL_ID + 4, 4), CONTROL_VERSION);
	CHECK_EQ(read(CONTROL_ID, 8), CONTROL_MAGIC | (uint64_t)CONTROL_VERSION << 32);
	CHECK_EQ(read(CONTROL_FIGURES + 16, 8), FIRST + KIB(2));
	CHECK_EQ(read(CONTROL_FIGURES + 16, 4), 4096 + KIB(2));
	CHECK_EQ(read(CONTROL_FIGURES + 20, 4), 1 << 8);
	CHECK_EQ(read(CONTROL_FIGURES_KIB + 16, 4), (FIRST / 1024 + 2));
	CHECK_EQ(last_vcpu, 3);
	write(CONTROL_ARGS + 8, 0x1122334455667788, 8);
	write(CONTROL_ARGS + 12, 0xaabbccdd, 4);
	CHECK_EQ(read(CONTROL_ARGS + 8, 8), 0xaabbccdd55667788);
	write(CONTROL_ARGS + 8, 1, 4);
	CHECK_EQ(page.arg[1], 0xaabbccdd00000001);
	CHECK_EQ(page.arg[0] | page.arg[2] | page.arg[3], 0);
}

static void calls_are_made_by_the_low_half(void **state)
{
	(void)state;
	write(CONTROL_CALL + 4, 1, 4);
	CHECK_EQ(calls, 0);
	write(CONTROL_CALL, 4, 4);
	CHECK_EQ(calls, 1);
	CHECK_EQ(last_call, 4);
	write(CONTROL_CALL, UINT64_C(1) << 32 | 6, 8);
	CHECK_EQ(last_call, UINT64_C(1) << 32 | 6);
	write(CONTROL_CALL, 6, 8);
	CHECK_EQ(calls, 3);
	CHECK_EQ(last_call, 6);
	CHECK_EQ(read(CONTROL_CALL, 8), 6);
	control_page_set_result(&page, UINT64_MAX - 2);
	CHECK_EQ(read(CONTROL_RESULT, 4), 0xfffffffd);
	CHECK_EQ(read(CONTROL_RESULT, 8), UINT64_MAX - 2);
	write(CONTROL_RESULT, 1, 8);
	CHECK_EQ(page.result, UINT64_MAX - 2);
}

/* At every address, of every size. */
static void odd_accesses_do_nothing(void **state)
{
	static const uint8_t sizes[] = { 1, 2, 4, 8 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (uint64_t offset = 0; offset < CONTROL_SIZE; offset++) {
			const struct control_page before = page;

			if (sizes[i] >= 4 && is_aligned(offset, sizes[i]))
				continue;
			write(offset, UINT64_MAX >> (64 - 8 * sizes[i]), sizes[i]);
			CHECK(memcmp(&page, &before, sizeof(page)) == 0, "offset %#lx, size %u", offset, sizes[i]);
			CHECK(read(offset, sizes[i]) == 0, "offset %#lx, size %u", offset, sizes[i]);
		}
	CHECK_EQ(calls, 0);
	for (uint64_t offset = CONTROL_ARGS + 8 * CONTROL_ARG_COUNT; offset < CONTROL_FIGURES; offset += 8)
		CHECK_EQ(read(offset, 8), 0);
}

static void only_a_panic_is_one(void **state)
{
	(void)state;
	CHECK_EQ(access_to(IO_PORT, PORT, false, 0, 1), PVPANIC_PANICKED);
	for (unsigned value = 0; value < 256; value++)
		access_to(IO_PORT, PORT, true, value, 1);
	CHECK_EQ(panics, 128);
	CHECK_EQ(last_vcpu, 3);
	pvpanic_init(&panic_device, IO_MEMORY, BASE + 0x1000, 0x1000);
	panic_device.panicked = panicked;
	panic_device.device.table = &table;
	for (uint64_t offset = 1; offset < 0x1000; offset++) {
		access_to(IO_MEMORY, BASE + 0x1000 + offset, true, 1, 1);
		CHECK_EQ(access_to(IO_MEMORY, BASE + 0x1000 + offset, false, 0, 1), 0);
	}
	CHECK_EQ(panics, 128);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_and_by_halves),
		TEST(calls_are_made_by_the_low_half),
		TEST(odd_accesses_do_nothing),
		TEST(only_a_panic_is_one),
	};

	return cmocka_run_group_tests_name("control_page", tests, NULL, NULL);
}
