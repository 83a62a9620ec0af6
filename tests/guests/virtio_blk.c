/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives a virtio disk of 1 MiB whose sectors are full of their number: as a driver should, with a fork that writes something else
 * to the same sector, and as nobody should, with queues that another vCPU, if there is one, changes while they are read. Afterwards
 * all works as at first.
 */
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "tests/guests/virtio_wild.h"

#define ROUNDS    300
#define SECTOR    512
#define DISK_SIZE (1ul << 20)
#define PAGES     64 /* that are read at once */

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NONE = 0xee };

static struct {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	struct {
		uint64_t sector;
		uint32_t sectors, flags;
	} segment;
	volatile uint8_t status;
} request;
static bool wild; /* the other vCPU is to change the queue */
static struct queue queues[1];
static unsigned device = DISK;

static void begin(uint64_t features)
{
	virtio_begin(device, queues, 1, features);
}

static void offer(uint16_t head)
{
	virtio_offer(device, &queues[0], 0, head);
}

static uint8_t content(uint64_t sector)
{
	return (uint8_t)(sector + 1);
}

static unsigned send(uint32_t type, uint64_t sector, const volatile void *data, uint64_t size)
{
	struct descriptor *chain = queues[0].descriptor;
	uint16_t used = queues[0].used.idx;
	bool gives = type == IN || type == GET_ID;
	unsigned last = size > 0 ? 2 : 1;

	request.header.type = type;
	request.header.sector = sector;
	request.status = NONE;
	chain[0] = (struct descriptor){ (uintptr_t)&request.header, sizeof(request.header), NEXT, 1 };
	chain[1] = (struct descriptor){ (uintptr_t)data, (uint32_t)size, NEXT | (gives ? WRITE : 0), 2 };
	chain[last] = (struct descriptor){ (uintptr_t)&request.status, 1, WRITE, 0 };
	offer(0);
	CHECK(__atomic_load_n(&queues[0].used.idx, __ATOMIC_ACQUIRE) == (uint16_t)(used + 1));
	return request.status;
}

static unsigned clear(uint32_t type, uint64_t sector, uint32_t sectors)
{
	request.segment.sector = sector;
	request.segment.sectors = sectors;
	request.segment.flags = 0;
	return send(type, 0, &request.segment, sizeof(request.segment));
}

static void check_data(const volatile uint8_t *data, uint64_t sector, uint64_t sectors)
{
	for (uint64_t i = 0; i < sectors; i++)
		CHECK(data[i * SECTOR] == content(sector + i) && data[i * SECTOR + SECTOR - 1] == content(sector + i));
}

static volatile uint8_t *page(unsigned number)
{
	return (volatile uint8_t *)(room.start + number * RT_PAGE_SIZE);
}

static uint64_t resident(void)
{
	return rt_memory_info(RT_MEMORY_RESIDENT);
}

/* Into pages that were never touched, and that were: neither costs anything. */
static void read(void)
{
	uint64_t before = resident();

	CHECK(send(IN, 0, page(0), PAGES * RT_PAGE_SIZE) == OK);
	CHECK(resident() == before);
	check_data(page(0), 0, PAGES * 8);
	for (unsigned i = 0; i < PAGES; i++)
		page(i)[0] = 0;
	CHECK(resident() == before + PAGES * RT_PAGE_SIZE);
	CHECK(send(IN, 8, page(0), PAGES * RT_PAGE_SIZE) == OK);
	CHECK(resident() == before);
	check_data(page(0), 8, PAGES * 8);
	CHECK(send(IN, 3, page(PAGES) + 100, 9 * SECTOR) == OK);
	check_data(page(PAGES) + 100, 3, 9);
	CHECK(send(IN, DISK_SIZE / SECTOR, page(0), SECTOR) == IOERR);
	CHECK(send(GET_ID, 0, page(0), 20) == OK);
	CHECK(memcmp((const void *)page(0), "numbers.img", 12) == 0);
	CHECK(send(FLUSH, 0, NULL, 0) == OK);
}

static void write_page(uint64_t sector, uint8_t value)
{
	memset((void *)page(1), value, RT_PAGE_SIZE);
	CHECK(send(OUT, sector, page(1), RT_PAGE_SIZE) == OK);
}

static void check_page(uint64_t sector, uint8_t value)
{
	CHECK(send(IN, sector, page(2), RT_PAGE_SIZE) == OK);
	CHECK(page(2)[0] == value && page(2)[RT_PAGE_SIZE - 1] == value);
}

/* What is written costs a page, and comes back when it is discarded. */
static void write(void)
{
	uint64_t before;

	page(1)[0] = page(2)[0] = 1;
	CHECK(clear(DISCARD, 160, 16) == OK);
	write_page(160, 1); /* its table and what else comes with the first one */
	before = resident();
	write_page(168, 0xaa);
	CHECK(resident() == before + RT_PAGE_SIZE);
	check_page(168, 0xaa);
	before = resident();
	CHECK(clear(DISCARD, 168, 8) == OK);
	CHECK(resident() == before - RT_PAGE_SIZE);
	check_page(168, 0);
	write_page(168, 0xbb);
	CHECK(clear(ZEROES, 169, 6) == OK);
	CHECK(send(IN, 168, page(2), RT_PAGE_SIZE) == OK);
	CHECK(page(2)[SECTOR - 1] == 0xbb && page(2)[SECTOR] == 0 && page(2)[7 * SECTOR - 1] == 0 && page(2)[7 * SECTOR] == 0xbb);
}

static void read_only(void)
{
	device = DISK + 1;
	begin(MODERN);
	CHECK(send(IN, 8, page(0), RT_PAGE_SIZE) == OK);
	check_data(page(0), 8, 8);
	CHECK(send(OUT, 8, page(0), SECTOR) == IOERR);
	CHECK(clear(DISCARD, 8, 8) == IOERR);
	device = DISK;
	begin(MODERN);
}

/* Both write to what the parent wrote before. Returns whether this is the child. */
static bool fork(void)
{
	uint64_t vm;

	write_page(80, 1);
	write_page(88, 1);
	vm = rt_fork();
	CHECK(vm <= 1);
	check_page(88, 1);
	write_page(80, vm == 0 ? 3 : 2);
	check_page(80, vm == 0 ? 3 : 2);
	check_page(88, 1);
	if (vm == 1)
		CHECK(rt_vm_wait(1) == 0);
	check_page(80, vm == 0 ? 3 : 2);
	return vm == 0;
}

/* --- As it should not be --------------------------------------------------------------------------------------------- */

/* A header that may lead anywhere, at the beginning of a page of the room. */
static void change_header(void)
{
	static const uint32_t types[] = { IN, OUT, FLUSH, GET_ID, DISCARD, ZEROES, IN, 99 };
	volatile uint64_t *header = (volatile uint64_t *)page(random() % 256);

	header[0] = types[random() % 8];
	header[1] = random() % 8 ? random() % (DISK_SIZE / SECTOR) : random();
}

static void use_wildly(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 8 == 0)
			begin(MODERN | (random() & 1ul << 28));
		for (unsigned j = 0; j < SIZE; j++) {
			describe_any((struct descriptor *)room.start, 256);
			change_header();
			change_queue(&queues[0]);
		}
		virtio_put(device, NOTIFY, 0);
	}
	for (unsigned i = 0; i < 10 * ROUNDS; i++)
		access_any(device);
	virtio_put(device, STATUS, 0);
}

static void change_all(void *unused)
{
	(void)unused;
	while (__atomic_load_n(&wild, __ATOMIC_RELAXED)) {
		change_queue(&queues[0]);
		change_header();
		if (random() % 16 == 0)
			virtio_put(device, NOTIFY, 0);
	}
}

int guest_main(void)
{
	room = rt_take(8 * RT_BLOCK_SIZE);
	device = DISK;
	begin(MODERN);
	read();
	write();
	read_only();
	if (fork())
		return check_status("virtio_blk");
	__atomic_store_n(&wild, true, __ATOMIC_RELAXED);
	if (rt_cpu_count() > 1)
		CHECK(rt_cpu_start(1, change_all, NULL) == 0);
	use_wildly();
	__atomic_store_n(&wild, false, __ATOMIC_RELAXED);
	while (rt_cpu_count() > 1 && rt_cpu_start(1, change_all, NULL) == RT_DENIED)
		rt_yield();
	begin(MODERN);
	page(1)[0] = page(2)[0] = 1;
	write();
	return check_status("virtio_blk");
}
