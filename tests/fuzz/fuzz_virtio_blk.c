/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio disk: requests of any kind in buffers that are cut anywhere and may lie anywhere, on the disk too, and change between
 * two pieces of work. Whatever the driver does, the device ends, the file stays as it is, so does what a read-only disk shows, and
 * no more memory is used than guest and disk have. Input: bytes, from which all is drawn.
 */
#include "vmm/devices/virtio_blk.h"

#include <string.h>

#include "drivers/console.h"
#include "tests/fuzz/guest.h"

#define RAM_AT     MIB(1)
#define RAM_SIZE   KIB(256)
#define PAGES      (RAM_SIZE / PAGE_SIZE)
#define WINDOW     MIB(16)
#define DISK_PAGES 40
#define SIZE       (DISK_PAGES * PAGE_SIZE - VIRTIO_BLK_SECTOR)
#define QUEUE_SIZE 64
#define REQUESTS   (RAM_AT + 2 * PAGE_SIZE) /* headers and segments */
#define WORK_MAX   40000                    /* pieces of one notification: chains, times their buffers, times pieces of each */

static struct virtio_blk disk;
static struct device_table table;
static struct console_stream console;
static struct vm *vm;
static hpa_t file;
static bool level;

static void set_line(struct device_table *of, unsigned line, bool now)
{
	CHECK(of == &table && line == 7 && now != level, "line %u", line);
	level = now;
}

static void write_word(uint64_t offset, uint64_t value)
{
	struct io_access io = {
		.space = IO_MEMORY, .size = 4, .write = true, .addr = disk.virtio.device.base + offset, .value = (uint32_t)value
	};

	device_access(&table, &io);
}

static void begin(struct host_rng *rng)
{
	write_word(0x70, 0);
	write_word(0x70, 3);
	write_word(0x24, 0);
	write_word(0x20, host_below(rng, 2) ? VIRTIO_F_INDIRECT : 0);
	write_word(0x24, 1);
	write_word(0x20, 1);
	write_word(0x70, 11);
	write_word(0x30, 0);
	write_word(0x38, QUEUE_SIZE);
	for (unsigned i = 0; i < 3; i++)
		write_word(0x80 + i * 0x10, RAM_AT + i * 0x800);
	write_word(0x44, 1);
	write_word(0x70, 15);
}

static void put(uint64_t at, const void *bytes, size_t size)
{
	(void)!addr_space_write(&vm->as, GPA(at), bytes, size);
}

/* Often the beginning of a page, of RAM or of the disk. */
static uint64_t pick_address(struct host_rng *rng)
{
	switch (host_below(rng, 8)) {
	case 0:
		return host_random(rng);
	case 1:
		return RAM_AT + RAM_SIZE - host_below(rng, 64);
	case 2:
		return WINDOW + host_below(rng, DISK_PAGES * 8) * 512;
	case 3:
		return RAM_AT + host_below(rng, RAM_SIZE);
	default:
		return RAM_AT + host_below(rng, PAGES) * PAGE_SIZE;
	}
}

static uint32_t pick_size(struct host_rng *rng)
{
	switch (host_below(rng, 6)) {
	case 0:
		return (uint32_t)host_random(rng);
	case 1:
		return (uint32_t)host_below(rng, 40);
	case 2:
		return (uint32_t)host_below(rng, 9) * 512;
	default:
		return (uint32_t)host_below(rng, 6) * PAGE_SIZE;
	}
}

static uint64_t pick_sector(struct host_rng *rng)
{
	return host_below(rng, 8) ? host_below(rng, DISK_PAGES + 1) * (host_below(rng, 4) ? 8 : 1) : host_random(rng);
}

/* A header or a segment, at one of a few places. */
static uint64_t put_words(struct host_rng *rng, uint32_t type)
{
	uint64_t at = REQUESTS + host_below(rng, 16) * 16;
	const struct virtio_blk_header header = { type, (uint32_t)host_below(rng, 4), pick_sector(rng) };
	const struct virtio_blk_segment segment = { pick_sector(rng), (uint32_t)host_below(rng, 400),
						    (uint32_t)host_below(rng, 3) };

	if (host_below(rng, 2))
		put(at, &header, sizeof(header));
	else
		put(at, &segment, sizeof(segment));
	return at;
}

static void describe(unsigned index, uint64_t address, uint32_t length, unsigned flags)
{
	struct {
		uint64_t address;
		uint32_t length;
		uint16_t flags, next;
	} descriptor = { address, length, (uint16_t)flags, (uint16_t)(index + 1) };

	put(RAM_AT + index * sizeof(descriptor), &descriptor, sizeof(descriptor));
}

static void describe_any(struct host_rng *rng)
{
	describe((unsigned)host_below(rng, QUEUE_SIZE), pick_address(rng), pick_size(rng), (unsigned)host_below(rng, 8));
}

/* A request that is nearly right. Returns its first descriptor. */
static uint16_t put_request(struct host_rng *rng)
{
	static const uint32_t types[] = { 0, 0, 1, 1, 4, 8, 11, 13, 2 };
	uint32_t type = types[host_below(rng, ARRAY_LEN(types))];
	struct virtio_blk_header header = { type, 0, pick_sector(rng) };
	unsigned first = (unsigned)host_below(rng, QUEUE_SIZE - 8), next = first, count = (unsigned)host_below(rng, 4);
	bool clears = type == 11 || type == 13;

	put(REQUESTS + 512, &header, sizeof(header));
	describe(next++, REQUESTS + 512, sizeof(header), 1);
	for (unsigned i = 0; i < count; i++)
		describe(next++, clears ? put_words(rng, type) : pick_address(rng), clears ? 16 : pick_size(rng),
			 1 | (type == 0 || type == 8 ? 2 : 0));
	describe(next, REQUESTS + 1024, 1, 2);
	return (uint16_t)first;
}

static void offer(struct host_rng *rng)
{
	uint16_t head = host_below(rng, 8) ? put_request(rng) : (uint16_t)host_below(rng, QUEUE_SIZE + 1), idx = 0;

	(void)!addr_space_read(&vm->as, GPA(RAM_AT + 0x802), &idx, sizeof(idx));
	put(RAM_AT + 0x804 + idx % QUEUE_SIZE * 2, &head, sizeof(head));
	idx++;
	put(RAM_AT + 0x802, &idx, sizeof(idx));
}

static void check(void)
{
	CHECK(level == (disk.virtio.interrupt != 0), "interrupt %#x", disk.virtio.interrupt);
	CHECK(disk.at <= SIZE && disk.header_bytes <= sizeof(disk.header) && disk.segment_bytes <= sizeof(disk.segment), "%#jx",
	      (uintmax_t)disk.at);
	CHECK(guest_resident(vm) <= RAM_SIZE + DISK_PAGES * PAGE_SIZE, "%#jx resident", (uintmax_t)guest_resident(vm));
}

/* Between two pieces the driver may do anything. */
static void work(struct host_rng *rng)
{
	for (unsigned pieces = 0; device_wants(&table); pieces++) {
		CHECK(pieces < WORK_MAX, "%u pieces", pieces);
		(void)device_work(&table);
		check();
		if (host_rng_spent(rng))
			continue;
		if (host_below(rng, 8) == 0)
			describe_any(rng);
		if (host_below(rng, 16) == 0)
			begin(rng);
	}
}

static void step(struct host_rng *rng)
{
	switch (host_below(rng, 16)) {
	case 0:
		begin(rng);
		break;
	case 1:
		(void)put_words(rng, (uint32_t)host_below(rng, 16));
		break;
	case 2 ... 4:
		describe_any(rng);
		break;
	case 5 ... 10:
		offer(rng);
		break;
	default:
		write_word(0x50, host_below(rng, 8) == 0);
	}
	check();
	work(rng);
}

static void new_file(void)
{
	CHECK_ERR(frame_alloc_count(FRAME_HYPERVISOR, DISK_PAGES, &file), ERR_OK);
	memset(frame_ptr(file), 0x5a, DISK_PAGES * PAGE_SIZE);
}

static void expect_file(const uint8_t *bytes)
{
	for (uint64_t i = 0; i < PAGE_SIZE; i++)
		CHECK(bytes[i] == 0x5a, "byte %#jx is %#x", (uintmax_t)i, bytes[i]);
}

static void check_end(bool read_only)
{
	uint8_t page[PAGE_SIZE];

	for (uint64_t at = 0; at < DISK_PAGES * PAGE_SIZE; at += PAGE_SIZE) {
		expect_file((uint8_t *)frame_ptr(file) + at);
		if (!read_only)
			continue;
		CHECK_ERR(addr_space_read(&vm->as, GPA(WINDOW + at), page, sizeof(page)), ERR_OK);
		expect_file(page);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng = host_rng_of_bytes(data, size);
	bool read_only = host_below(&rng, 4) == 0;

	vm = guest_new(RAM_AT, RAM_SIZE, 0, 0);
	if (file.raw == 0)
		new_file();
	CHECK_ERR(addr_space_map_alloc(&vm->as, GPA(WINDOW), DISK_PAGES * PAGE_SIZE, read_only ? NPT_R : NPT_RW, ALLOC_LAZY_4K),
		  ERR_OK);
	CHECK_ERR(addr_space_map_shared(&vm->as, GPA(WINDOW), file, DISK_PAGES * PAGE_SIZE), ERR_OK);
	table = (struct device_table){
		.lock = SPINLOCK(LOCK_DEVICES),
		.console = &console,
		.memory = &vm->as,
		.set_line = set_line,
	};
	level = false;
	virtio_blk_init(&disk, GPA(WINDOW), SIZE, read_only, "disk", 0xa000000, 7);
	device_add(&table, &disk.virtio.device);
	begin(&rng);
	while (!host_rng_spent(&rng))
		step(&rng);
	check_end(read_only);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}
