/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk: what is read and written, what that costs, and what a driver may not do. */
#include "vmm/devices/virtio_blk.h"

#include <string.h>

#include "tests/host/virtio.h"

#define BASE    0xa000000
#define LINE    5
#define MODERN  VIRTIO_F_VERSION_1
#define RAM     MIB(8) /* of the guest */
#define WINDOW  MIB(64)
#define SECTOR  VIRTIO_BLK_SECTOR
#define PAGES   520 /* of the file: a large leaf and some */
#define SIZE    (PAGES * PAGE_SIZE - 3 * SECTOR)
#define QUEUE   MIB(1)
#define REQUEST (MIB(1) + 4 * PAGE_SIZE) /* its header, */
#define STATUS  (REQUEST + 64)           /* its status, */
#define DATA    MIB(4)                   /* and its data */

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NONE = 0xee };

static struct virtio_blk disk;
static struct virtio_machine machine;
static struct space *space;
static uint16_t offered; /* chains, since the queue was set up */
static hpa_t file;

/* Each sector of the file is full of the low byte of its number, plus one. */
static uint8_t content(uint64_t sector)
{
	return (uint8_t)(sector + 1);
}

static void set_up_disk(void **state, bool read_only)
{
	space = *state;
	CHECK_ERR(frame_alloc(10, &file), ERR_OK);
	memset(frame_ptr(file), 0, MIB(4));
	for (uint64_t i = 0; i < SIZE / SECTOR; i++)
		memset(frame_ptr(HPA(file.raw + i * SECTOR)), content(i), SECTOR);
	space->file = (struct ram_range){ file, MIB(4) };
	CHECK_ERR(space_alloc(space, 0, RAM, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(space, WINDOW, PAGES * PAGE_SIZE, read_only ? NPT_R : NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(addr_space_map_shared(&space->as, GPA(WINDOW), file, PAGES * PAGE_SIZE), ERR_OK);
	virtio_blk_init(&disk, GPA(WINDOW), SIZE, read_only, "root.img", BASE, LINE);
	virtio_machine(&machine, space, &disk.virtio.device);
}

static void begin(uint64_t features)
{
	assert_true(driver_begin(&machine, features));
	driver_queue(&machine, 0, QUEUE, QUEUE_SIZE);
	driver_go(&machine);
	offered = 0;
}

static void set_up(void **state)
{
	set_up_disk(state, false);
	begin(MODERN);
}

/* Nobody has written to the file, or has a reference to it any more. */
static void end(void)
{
	space_clear(space);
	for (uint64_t i = 0; i < SIZE / SECTOR; i++)
		CHECK(*(uint8_t *)frame_ptr(HPA(file.raw + i * SECTOR)) == content(i), "sector %ju", (uintmax_t)i);
	for (uint64_t at = 0; at < PAGES * PAGE_SIZE; at += PAGE_SIZE)
		CHECK(!frame_is_shared(HPA(file.raw + at), 0), "%#jx", (uintmax_t)at);
	frame_free_count(file, MIB(4) / PAGE_SIZE);
	space->file.size = 0;
}

static void put(uint64_t gpa, const void *bytes, size_t size)
{
	CHECK_ERR(addr_space_write(&machine.space->as, GPA(gpa), bytes, size), ERR_OK);
}

static uint8_t status(void)
{
	uint8_t value;

	CHECK_ERR(addr_space_read(&machine.space->as, GPA(STATUS), &value, sizeof(value)), ERR_OK);
	return value;
}

static void put_request(uint32_t type, uint64_t sector)
{
	const struct virtio_blk_header header = { .type = type, .sector = sector };
	const uint8_t none = NONE;

	put(REQUEST, &header, sizeof(header));
	put(STATUS, &none, sizeof(none));
}

static void describe(unsigned index, uint64_t address, uint64_t length, uint16_t flags)
{
	driver_describe(&machine, QUEUE, index,
			(struct virtio_descriptor){ address, (uint32_t)length, flags, (uint16_t)(index + 1) });
}

/* Offer the chain that begins with descriptor 0, and let the device work. */
static void go(void)
{
	driver_offer(&machine, QUEUE, offered++, 0);
	driver_notify(&machine, 0);
}

/* A request as drivers make them, in three descriptors or, without data, two; its status. */
static uint8_t request(uint32_t type, uint64_t sector, uint64_t data, uint64_t size)
{
	bool gives = type != OUT && type != DISCARD && type != WRITE_ZEROES;
	unsigned next = 1;

	put_request(type, sector);
	describe(0, REQUEST, sizeof(struct virtio_blk_header), DESC_NEXT);
	if (size > 0)
		describe(next++, data, size, DESC_NEXT | (gives ? DESC_WRITE : 0));
	describe(next, STATUS, 1, DESC_WRITE);
	go();
	CHECK_EQ(driver_used(&machine, QUEUE), offered);
	return status();
}

static uint8_t clear(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	const struct virtio_blk_segment segment = { sector, sectors, flags };

	put(REQUEST + 32, &segment, sizeof(segment));
	return request(type, 0, REQUEST + 32, sizeof(segment));
}

/* What the guest has at `gpa` is what the file has from `sector` on. */
static void check_data(uint64_t gpa, uint64_t sector, uint64_t sectors)
{
	for (uint64_t i = 0; i < sectors; i++) {
		CHECK(space_load(machine.space, gpa + i * SECTOR) == content(sector + i), "sector %ju", (uintmax_t)(sector + i));
		CHECK_EQ(space_load(machine.space, gpa + i * SECTOR + SECTOR - 1), content(sector + i));
	}
}

static void fill(uint64_t gpa, uint64_t size, uint8_t value)
{
	for (uint64_t i = 0; i < size; i += SECTOR) {
		uint8_t sector[SECTOR];

		memset(sector, value, sizeof(sector));
		put(gpa + i, sector, min_u64(sizeof(sector), size - i));
	}
}

static uint64_t resident(void)
{
	return space_stats(machine.space).resident;
}

static uint8_t on_disk(uint64_t sector)
{
	return space_load(machine.space, WINDOW + sector * SECTOR);
}

/* --- As it should be ------------------------------------------------------------------------------------------------- */

static void it_says_what_it_is(void **state)
{
	set_up_disk(state, false);
	CHECK_EQ(driver_read(&machine, 8), 2);
	CHECK_EQ(driver_read(&machine, REG_DEVICE_FEATURES),
		 BIT(2) | BIT(6) | BIT(9) | BIT(10) | BIT(13) | BIT(14) | VIRTIO_F_INDIRECT);
	CHECK_EQ(driver_read(&machine, REG_CONFIG), SIZE / SECTOR);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 4), 0);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 12), VIRTIO_QUEUE_MAX - 2);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 20), 512);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 24), 3);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 36), SIZE / SECTOR);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 56), 1);
	begin(MODERN);
	fill(DATA, 32, 0xaa);
	CHECK_EQ(request(GET_ID, 0, DATA, 20), OK);
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(space_load(space, DATA + i), (uint8_t) "root.img\0\0\0\0\0\0\0\0\0\0\0"[i]);
	CHECK_EQ(space_load(space, DATA + 20), 0xaa);
	CHECK_EQ(request(FLUSH, 0, 0, 0), OK);
	CHECK_EQ(machine.raised, 1);
	end();
}

/* Into whole pages of the guest: nothing is copied, and what it had there is free. */
static void whole_pages_are_mapped(void **state)
{
	uint64_t before, flushes;

	set_up(state);
	fill(DATA, 16 * PAGE_SIZE, 0xaa);
	put_request(IN, 8);
	before = resident();
	flushes = space->flushes;
	CHECK_EQ(request(IN, 16, DATA, 16 * PAGE_SIZE), OK);
	CHECK_EQ(before - resident(), 16 * PAGE_SIZE);
	CHECK_EQ(space->flushes - flushes, 1);
	check_data(DATA, 16, 128);
	assert_false(space_allows(space, DATA, NPT_W));
	/* Where the guest had nothing, nothing is flushed. */
	flushes = space->flushes;
	before = resident();
	CHECK_EQ(request(IN, 4088, DATA + MIB(1), 8 * PAGE_SIZE), OK); /* beyond the large leaf, too */
	CHECK_EQ(space->flushes, flushes);
	CHECK_EQ(resident(), before);
	check_data(DATA + MIB(1), 4088, 64);
	/* It is the guest's own when it writes to it. */
	space_store(space, DATA + 5, 0x77);
	CHECK_EQ(resident(), before + PAGE_SIZE);
	CHECK_EQ(on_disk(16), content(16));
	end();
}

static void other_buffers_are_copied_to(void **state)
{
	set_up(state);
	CHECK_EQ(request(IN, 3, DATA + 0x1201, 11 * SECTOR), OK);
	check_data(DATA + 0x1201, 3, 11);
	/* Alike, but not whole pages at the ends. */
	CHECK_EQ(request(IN, 3, DATA + MIB(1) + 3 * SECTOR, 15 * SECTOR), OK);
	check_data(DATA + MIB(1) + 3 * SECTOR, 3, 15);
	assert_false(space_allows(space, DATA + MIB(1) + PAGE_SIZE, NPT_W));
	assert_true(space_allows(space, DATA + MIB(1), NPT_W));
	/* The end of the disk, which is not that of a page. */
	CHECK_EQ(request(IN, SIZE / SECTOR - 5, DATA, 5 * SECTOR), OK);
	check_data(DATA, SIZE / SECTOR - 5, 5);
	end();
}

static void a_page_of_a_large_leaf_stays_one(void **state)
{
	set_up(state);
	if (!space->format->config.max_leaf)
		return end();
	CHECK_ERR(space_set_policy(space, DATA, MIB(2), ALLOC_LAZY_2M), ERR_OK);
	space_store(space, DATA, 1);
	CHECK_EQ(request(IN, 0, DATA, PAGE_SIZE), OK);
	CHECK_EQ(space_level(space, DATA), 1);
	check_data(DATA, 0, 8);
	end();
}

static void what_is_written_is_the_vms(void **state)
{
	uint64_t before;

	set_up(state);
	fill(DATA, 4 * PAGE_SIZE, 0xaa);
	put_request(OUT, 0);
	before = resident();
	CHECK_EQ(request(OUT, 8, DATA, 2 * PAGE_SIZE), OK);
	CHECK_EQ(request(OUT, 4101, DATA, SECTOR), OK);
	CHECK_EQ(resident() - before, 3 * PAGE_SIZE);
	CHECK_EQ(on_disk(7), content(7));
	CHECK_EQ(on_disk(8), 0xaa);
	CHECK_EQ(on_disk(23), 0xaa);
	CHECK_EQ(on_disk(24), content(24));
	CHECK_EQ(on_disk(4100), content(4100));
	CHECK_EQ(on_disk(4101), 0xaa);
	fill(DATA, PAGE_SIZE, 0xbb); /* the disk has a copy */
	CHECK_EQ(on_disk(8), 0xaa);
	/* What is read of it is a copy as well. */
	CHECK_EQ(request(IN, 8, DATA + MIB(1), PAGE_SIZE), OK);
	CHECK_EQ(space_load(space, DATA + MIB(1)), 0xaa);
	fill(DATA + MIB(1), PAGE_SIZE, 0xcc);
	CHECK_EQ(on_disk(8), 0xaa);
	end();
}

static void a_fork_has_what_its_parent_wrote(void **state)
{
	struct virtio_machine parent;
	struct virtio_blk child_disk;
	struct space *child;
	uint64_t before;

	set_up(state);
	fill(DATA, PAGE_SIZE, 0xaa);
	CHECK_EQ(request(OUT, 8, DATA, PAGE_SIZE), OK);
	CHECK_ERR(space_fork(space, &child), ERR_OK);
	parent = machine;
	child_disk = disk;
	virtio_machine(&machine, child, &child_disk.virtio.device);
	before = resident();
	put_request(IN, 0);
	CHECK_EQ(request(IN, 8, DATA + MIB(1), PAGE_SIZE), OK);
	CHECK_EQ(space_load(child, DATA + MIB(1)), 0xaa);
	CHECK(resident() - before <= 4 * PAGE_SIZE, "%ju", (uintmax_t)(resident() - before)); /* of the queue and the request */
	assert_false(space_allows(child, DATA + MIB(1), NPT_W));
	fill(DATA, PAGE_SIZE, 0xbb);
	CHECK_EQ(request(OUT, 8, DATA, SECTOR), OK);
	CHECK_EQ(on_disk(8), 0xbb);
	CHECK_EQ(on_disk(9), 0xaa);
	machine = parent;
	CHECK_EQ(on_disk(8), 0xaa);
	space_check(space);
	space_end(child);
	CHECK_EQ(on_disk(8), 0xaa);
	end();
}

/* In the middle of its work, and the child goes on with it. */
static void a_request_is_forked_in_its_middle(void **state)
{
	struct virtio_machine parent;
	struct virtio_blk child_disk;
	struct space *child;

	set_up(state);
	put_request(IN, 0);
	describe(0, REQUEST, 16, DESC_NEXT);
	describe(1, DATA + SECTOR, MIB(2), DESC_NEXT | DESC_WRITE);
	describe(2, STATUS, 1, DESC_WRITE);
	driver_offer(&machine, QUEUE, offered++, 0);
	driver_write(&machine, REG_QUEUE_NOTIFY, 0);
	assert_true(device_work(&machine.table));
	CHECK_ERR(space_fork(space, &child), ERR_OK);
	parent = machine;
	child_disk = disk;
	virtio_machine(&machine, child, &child_disk.virtio.device);
	machine.table.wants = true;
	driver_work(&machine);
	CHECK_EQ(status(), OK);
	CHECK_EQ(driver_used(&machine, QUEUE), 1);
	check_data(DATA + SECTOR, 0, 4096);
	machine = parent;
	machine.table.console = &machine.console;
	CHECK_EQ(status(), NONE);
	space_end(child);
	end();
}

static void what_is_discarded_is_given_back(void **state)
{
	uint64_t before, shared;

	set_up(state);
	fill(DATA, 8 * PAGE_SIZE, 0xaa);
	CHECK_EQ(request(OUT, 8, DATA, 8 * PAGE_SIZE), OK);
	fill(REQUEST + 32, 16, 0);
	before = resident();
	shared = space_stats(space).shared;
	CHECK_EQ(clear(DISCARD, 5, 20, 0), OK); /* two whole pages, of three sectors before them and one behind nothing */
	CHECK_EQ(before - resident(), 2 * PAGE_SIZE);
	CHECK_EQ(on_disk(7), content(7));
	CHECK_EQ(on_disk(8), 0);
	CHECK_EQ(on_disk(23), 0);
	CHECK_EQ(on_disk(24), 0xaa);
	CHECK_EQ(clear(WRITE_ZEROES, 23, 18, 1), OK);
	CHECK_EQ(on_disk(24), 0);
	CHECK_EQ(on_disk(40), 0);
	CHECK_EQ(on_disk(41), 0xaa);
	CHECK_EQ(clear(WRITE_ZEROES, 41, 2, 0), OK);
	CHECK_EQ(on_disk(42), 0);
	CHECK_EQ(on_disk(43), 0xaa);
	/* All of the disk; zeros that are read are no copies either. */
	CHECK_EQ(clear(DISCARD, 0, SIZE / SECTOR, 0), OK);
	CHECK(space_stats(space).shared < shared, "%ju", (uintmax_t)space_stats(space).shared);
	before = resident();
	CHECK_EQ(request(IN, 8, DATA, 8 * PAGE_SIZE), OK);
	CHECK_EQ(before - resident(), 8 * PAGE_SIZE);
	CHECK_EQ(space_load(space, DATA + PAGE_SIZE), 0);
	CHECK_EQ(clear(DISCARD, SIZE / SECTOR, 0, 0), OK);
	end();
}

static void buffers_may_be_cut_anywhere(void **state)
{
	set_up(state);
	put_request(IN, 5);
	describe(0, REQUEST, 3, DESC_NEXT);
	describe(1, REQUEST + 3, 0, DESC_NEXT);
	describe(2, REQUEST + 3, 13, DESC_NEXT);
	describe(3, DATA, 700, DESC_NEXT | DESC_WRITE);
	describe(4, DATA + 700, 324 + 1, DESC_WRITE); /* with the status behind the data */
	go();
	check_data(DATA, 5, 2);
	CHECK_EQ(space_load(space, DATA + 1024), OK);
	put_request(OUT, 5);
	fill(REQUEST + 16, 24, 0xaa);
	fill(DATA, 1024, 0xaa);
	describe(0, REQUEST, 16 + 24, DESC_NEXT);
	describe(1, DATA, 1000, DESC_NEXT);
	describe(2, STATUS, 1, DESC_WRITE);
	go();
	CHECK_EQ(status(), OK);
	CHECK_EQ(on_disk(5), 0xaa);
	CHECK_EQ(on_disk(6), 0xaa);
	CHECK_EQ(on_disk(7), content(7));
	end();
}

static void a_long_request_goes_in_pieces(void **state)
{
	set_up(state);
	CHECK_EQ(request(IN, 1, DATA, MIB(2)), OK);
	check_data(DATA, 1, 4096);
	CHECK(machine.pieces > 8, "%u pieces", machine.pieces);
	CHECK_EQ(machine.raised, 1);
	/* A reset in its middle ends it. */
	put_request(IN, 0);
	driver_offer(&machine, QUEUE, offered++, 0);
	driver_write(&machine, REG_QUEUE_NOTIFY, 0);
	assert_true(device_work(&machine.table));
	begin(MODERN);
	CHECK_EQ(status(), NONE);
	CHECK_EQ(request(IN, 0, DATA, PAGE_SIZE), OK);
	check_data(DATA, 0, 8);
	end();
}

/* --- As it should not be --------------------------------------------------------------------------------------------- */

static void what_is_not_on_the_disk_is_an_error(void **state)
{
	const uint64_t sectors = SIZE / SECTOR;

	set_up(state);
	CHECK_EQ(request(IN, sectors, DATA, SECTOR), IOERR);
	CHECK_EQ(request(IN, sectors - 1, DATA, 2 * SECTOR), IOERR);
	CHECK_EQ(request(OUT, sectors - 1, DATA, 2 * SECTOR), IOERR);
	CHECK_EQ(request(IN, UINT64_MAX, DATA, SECTOR), IOERR);
	CHECK_EQ(request(IN, UINT64_MAX / SECTOR, DATA, SECTOR), IOERR);
	CHECK_EQ(request(IN, BIT(55), DATA, SECTOR), IOERR);
	CHECK_EQ(clear(DISCARD, sectors - 1, 2, 0), IOERR);
	CHECK_EQ(clear(WRITE_ZEROES, UINT64_MAX, UINT32_MAX, 0), IOERR);
	CHECK_EQ(clear(WRITE_ZEROES, UINT64_MAX - 1, 2, 0), IOERR);
	CHECK_EQ(on_disk(sectors - 1), content(sectors - 1));
	CHECK_EQ(driver_read(&machine, REG_STATUS) & STAT_NEEDS_RESET, 0);
	end();
}

static void wrong_requests_are_errors(void **state)
{
	set_up(state);
	CHECK_EQ(request(2, 0, DATA, SECTOR), UNSUPP);
	CHECK_EQ(request(UINT32_MAX, 0, 0, 0), UNSUPP);
	CHECK_EQ(request(IN, 0, DATA, SECTOR - 1), IOERR);
	CHECK_EQ(request(FLUSH, 0, DATA, SECTOR), IOERR);
	CHECK_EQ(clear(DISCARD, 0, 8, 1), UNSUPP);
	CHECK_EQ(clear(WRITE_ZEROES, 0, 8, 2), UNSUPP);
	CHECK_EQ(request(DISCARD, 0, REQUEST, 15), IOERR);
	CHECK_EQ(on_disk(0), content(0));
	/* Data that goes the other way, */
	put_request(IN, 0);
	describe(1, DATA, SECTOR, DESC_NEXT);
	describe(2, STATUS, 1, DESC_WRITE);
	go();
	CHECK_EQ(status(), IOERR);
	put_request(OUT, 0);
	describe(1, DATA, SECTOR, DESC_NEXT | DESC_WRITE);
	go();
	CHECK_EQ(status(), IOERR);
	/* half a header, */
	put_request(IN, 0);
	describe(0, REQUEST, 8, DESC_NEXT);
	go();
	CHECK_EQ(status(), IOERR);
	/* and buffers that are not in memory, or on the disk itself. */
	CHECK_EQ(request(IN, 0, RAM, SECTOR), IOERR);
	CHECK_EQ(request(OUT, 0, -SECTOR, SECTOR), IOERR);
	CHECK_EQ(request(IN, 0, RAM - SECTOR, 2 * SECTOR), IOERR);
	CHECK_EQ(request(IN, 1, WINDOW, 9 * SECTOR), OK);
	CHECK_EQ(request(IN, 0, WINDOW + PAGE_SIZE, 8 * PAGE_SIZE), OK);
	CHECK_EQ(driver_read(&machine, REG_STATUS) & STAT_NEEDS_RESET, 0);
	end();
}

static void expect_stopped(const char *what)
{
	go();
	CHECK(driver_read(&machine, REG_STATUS) & STAT_NEEDS_RESET, "%s", what);
	begin(MODERN);
}

static void a_request_without_a_status_stops_it(void **state)
{
	set_up(state);
	put_request(IN, 0);
	describe(0, REQUEST, 16, 0);
	expect_stopped("nothing but a header");
	describe(0, REQUEST, 16, DESC_NEXT);
	describe(1, DATA, SECTOR, 0);
	expect_stopped("nothing to write to");
	describe(0, REQUEST, 16, DESC_NEXT);
	describe(1, STATUS, 0, DESC_WRITE);
	expect_stopped("an empty status");
	describe(0, REQUEST, 16, DESC_NEXT);
	describe(1, RAM, 1, DESC_WRITE);
	expect_stopped("a status that is not in memory");
	describe(0, RAM - 8, 16, DESC_NEXT);
	describe(1, STATUS, 1, DESC_WRITE);
	expect_stopped("a header that is not in memory");
	CHECK_EQ(request(IN, 0, DATA, SECTOR), OK);
	end();
}

static void a_read_only_disk_stays_as_it_is(void **state)
{
	set_up_disk(state, true);
	CHECK_EQ(driver_read(&machine, REG_DEVICE_FEATURES), BIT(2) | BIT(5) | BIT(6) | BIT(9) | BIT(10) | VIRTIO_F_INDIRECT);
	begin(MODERN);
	CHECK_EQ(request(IN, 0, DATA, 4 * PAGE_SIZE), OK);
	check_data(DATA, 0, 32);
	fill(DATA, PAGE_SIZE, 0xaa);
	CHECK_EQ(request(OUT, 0, DATA, SECTOR), IOERR);
	CHECK_EQ(clear(DISCARD, 0, 8, 0), IOERR);
	CHECK_EQ(clear(WRITE_ZEROES, 0, 8, 0), IOERR);
	CHECK_EQ(request(IN, 8, WINDOW, PAGE_SIZE), IOERR); /* of itself into itself */
	CHECK_EQ(on_disk(0), content(0));
	end();
}

/* Nothing else happens to the guest. */
static void out_of_memory_is_an_error_of_the_request(void **state)
{
	unsigned done = 0;

	set_up(state);
	fill(DATA, PAGE_SIZE, 0xaa);
	CHECK_EQ(request(OUT, 800, DATA, SECTOR), OK);
	CHECK_ERR(space_limit(space, space_stats(space).memory_used + 8 * PAGE_SIZE), ERR_OK);
	while (request(OUT, 800 + done * 8, DATA, SECTOR) == OK && done < 64)
		done++;
	CHECK_EQ(status(), IOERR);
	CHECK(done > 0 && done < 40, "%u", done);
	CHECK_EQ(on_disk(800), 0xaa);
	CHECK_EQ(on_disk(800 + done * 8), content(800 + done * 8));
	CHECK_EQ(clear(DISCARD, 800, 64, 0), OK);
	CHECK_EQ(request(OUT, 800, DATA, SECTOR), OK);
	CHECK_ERR(space_limit(space, UINT64_MAX), ERR_OK);
	end();
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "it says what it is", it_says_what_it_is },
		{ "whole pages are mapped", whole_pages_are_mapped },
		{ "other buffers are copied to", other_buffers_are_copied_to },
		{ "a page of a large leaf stays one", a_page_of_a_large_leaf_stays_one },
		{ "what is written is the VM's", what_is_written_is_the_vms },
		{ "a fork has what its parent wrote", a_fork_has_what_its_parent_wrote },
		{ "a request is forked in its middle", a_request_is_forked_in_its_middle },
		{ "what is discarded is given back", what_is_discarded_is_given_back },
		{ "buffers may be cut anywhere", buffers_may_be_cut_anywhere },
		{ "a long request goes in pieces", a_long_request_goes_in_pieces },
		{ "what is not on the disk is an error", what_is_not_on_the_disk_is_an_error },
		{ "wrong requests are errors", wrong_requests_are_errors },
		{ "a request without a status stops it", a_request_without_a_status_stops_it },
		{ "a read-only disk stays as it is", a_read_only_disk_stays_as_it_is },
		{ "out of memory is an error of the request", out_of_memory_is_an_error_of_the_request },
	};

	return space_suite_both_marks("virtio_blk", tests, ARRAY_LEN(tests));
}
