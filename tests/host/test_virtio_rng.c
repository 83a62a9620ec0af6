/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio entropy device: what a driver's buffers get, and what drivers may not do. */
#include "vmm/devices/virtio_rng.h"

#include <string.h>

#include "drivers/random.h"
#include "tests/host/virtio.h"

#define BASE   0xa000000
#define LINE   5
#define RAM    MIB(8)
#define QUEUE  MIB(1)
#define BUFFER MIB(2)

static struct virtio_rng device;
static struct virtio_machine machine;
static struct space *space;
static uint8_t next; /* what random_bytes makes next: never 0 */
static bool has_source;

void random_bytes(void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = next = (uint8_t)(next % 255 + 1);
}

bool random_has_source(void)
{
	return has_source;
}

static void set_up(void **state)
{
	space = *state;
	next = 0;
	has_source = true;
	CHECK_ERR(space_alloc(space, 0, RAM, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	virtio_rng_init(&device, BASE, LINE);
	virtio_machine(&machine, space, &device.virtio.device);
	assert_true(driver_begin(&machine, VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT));
	driver_queue(&machine, 0, QUEUE, QUEUE_SIZE);
	driver_go(&machine);
}

static void describe(unsigned index, uint64_t at, uint32_t length, uint16_t flags)
{
	driver_describe(&machine, QUEUE, index, (struct virtio_descriptor){ at, length, flags, (uint16_t)(index + 1) });
}

/* What the used ring says was written into the chain that was given back last. */
static uint32_t written(void)
{
	uint32_t length;

	CHECK_ERR(addr_space_read(&space->as, GPA(QUEUE + PAGE_SIZE + 4 + (driver_used(&machine, QUEUE) - 1u) % QUEUE_SIZE * 8 + 4),
				  &length, sizeof(length)),
		  ERR_OK);
	return length;
}

/* How many bytes from `at` on are not 0. */
static uint64_t filled(uint64_t at)
{
	static uint8_t bytes[VIRTIO_RNG_MOST + PAGE_SIZE];
	uint64_t count = 0;

	CHECK_ERR(addr_space_read(&space->as, GPA(at), bytes, sizeof(bytes)), ERR_OK);
	while (count < sizeof(bytes) && bytes[count])
		count++;
	for (uint64_t i = count; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
	return count;
}

static void a_buffer_is_filled(void **state)
{
	set_up(state);
	CHECK_EQ(driver_read(&machine, 8), 4);
	CHECK_EQ(driver_read(&machine, REG_DEVICE_FEATURES), VIRTIO_F_INDIRECT);
	CHECK_EQ(driver_read(&machine, REG_CONFIG), 0);
	describe(0, BUFFER + PAGE_SIZE - 10, 64, DESC_WRITE);
	driver_offer(&machine, QUEUE, 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(driver_used(&machine, QUEUE), 1);
	CHECK_EQ(written(), 64);
	CHECK_EQ(filled(BUFFER + PAGE_SIZE - 10), 64);
	CHECK_EQ(machine.raised, 1);
}

/* Chains of a cache line are served together, larger ones by the piece. */
static void a_piece_is_bounded(void **state)
{
	set_up(state);
	for (unsigned i = 0; i < 16; i++) {
		describe(i, BUFFER + i * 64, 64, DESC_WRITE);
		driver_offer(&machine, QUEUE, (uint16_t)i, (uint16_t)i);
	}
	driver_notify(&machine, 0);
	CHECK_EQ(driver_used(&machine, QUEUE), 16);
	CHECK_EQ(machine.pieces, 1);
	CHECK_EQ(filled(BUFFER), 16 * 64);
	describe(0, BUFFER, 8192, DESC_WRITE);
	driver_offer(&machine, QUEUE, 16, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(written(), 8192);
	assert_in_range(machine.pieces, 8, 10);
}

static void a_chain_is_filled_to_its_end(void **state)
{
	set_up(state);
	describe(0, BUFFER, 100, DESC_WRITE | DESC_NEXT);
	describe(1, BUFFER + 100, 0, DESC_WRITE | DESC_NEXT);
	describe(2, BUFFER + 100, 3000, DESC_WRITE | DESC_NEXT);
	describe(3, BUFFER + 3100, 1, DESC_WRITE);
	driver_offer(&machine, QUEUE, 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(written(), 3101);
	CHECK_EQ(filled(BUFFER), 3101);
}

/* Whatever it asks for; and the next one begins anew. */
static void a_chain_gets_so_much_at_most(void **state)
{
	set_up(state);
	describe(0, BUFFER, UINT32_MAX, DESC_WRITE | DESC_NEXT);
	describe(1, BUFFER, UINT32_MAX, DESC_WRITE);
	driver_offer(&machine, QUEUE, 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(written(), VIRTIO_RNG_MOST);
	CHECK_EQ(filled(BUFFER), VIRTIO_RNG_MOST);
	describe(0, MIB(4), 32, DESC_WRITE);
	driver_offer(&machine, QUEUE, 1, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(written(), 32);
	CHECK_EQ(driver_used(&machine, QUEUE), 2);
}

/* A queue that is taken away in the middle of a chain leaves nothing for the next one. */
static void a_chain_that_is_cut_is_forgotten(void **state)
{
	set_up(state);
	describe(0, BUFFER, KIB(16), DESC_WRITE);
	driver_offer(&machine, QUEUE, 0, 0);
	driver_write(&machine, REG_QUEUE_NOTIFY, 0);
	(void)device_work(&machine.table);
	driver_write(&machine, REG_QUEUE_SEL, 0);
	driver_write(&machine, REG_QUEUE_READY, 0);
	driver_queue(&machine, 0, QUEUE, QUEUE_SIZE);
	describe(0, MIB(4), 32, DESC_WRITE);
	driver_offer(&machine, QUEUE, 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(written(), 32);
}

static void what_the_device_may_not_write_stays(void **state)
{
	set_up(state);
	describe(0, BUFFER, 64, DESC_NEXT);
	describe(1, MIB(4), 32, DESC_WRITE);
	driver_offer(&machine, QUEUE, 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(filled(BUFFER), 0);
	CHECK_EQ(filled(MIB(4)), 32);
	CHECK_EQ(written(), 32);
	describe(0, RAM - 16, 64, DESC_WRITE);
	driver_offer(&machine, QUEUE, 1, 0);
	driver_notify(&machine, 0);
	assert_true(driver_read(&machine, REG_STATUS) & STAT_NEEDS_RESET);
	CHECK_EQ(driver_used(&machine, QUEUE), 1);
}

static void ask_once(unsigned idx)
{
	describe(0, BUFFER, 64, DESC_WRITE);
	driver_offer(&machine, QUEUE, (uint16_t)idx, 0);
	driver_notify(&machine, 0);
}

static void that_there_is_no_source_is_told_once(void **state)
{
	set_up(state);
	host_log_clear();
	ask_once(0);
	CHECK_EQ(host_log_lines(), 0);
	device.told = has_source = false; /* as in another VM */
	ask_once(1);
	ask_once(2);
	CHECK_EQ(host_log_lines(), 1);
	assert_non_null(strstr(host_log_line(0), "differences of time alone"));
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "a buffer is filled", a_buffer_is_filled },
		{ "a piece is bounded", a_piece_is_bounded },
		{ "a chain is filled to its end", a_chain_is_filled_to_its_end },
		{ "a chain gets so much at most", a_chain_gets_so_much_at_most },
		{ "a chain that is cut is forgotten", a_chain_that_is_cut_is_forgotten },
		{ "what the device may not write stays", what_the_device_may_not_write_stays },
		{ "that there is no source is told once", that_there_is_no_source_is_told_once },
	};

	return space_suite("virtio_rng", tests, ARRAY_LEN(tests));
}
