/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request to a disk costs, from the guest's notification to the end of the interrupt: see bench/host/bench.h. */
#include "bench/host/bench.h"
#include "vmm/devices/virtio_blk.h"

#define QUEUE   (BASE + MIB(128)) /* descriptors, available ring */
#define USED    (QUEUE + PAGE_SIZE)
#define TABLES  (QUEUE + 2 * PAGE_SIZE) /* of descriptors, one for each request, */
#define HEADERS (QUEUE + 4 * PAGE_SIZE) /* what these begin with, and where their status goes */
#define DATA    (QUEUE + MIB(2))
#define WINDOW  (BASE + GIB(2))
#define SIZE    MIB(4) /* of the disk */
#define APART   128    /* bytes, from one table or header to the next */

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static struct virtio_blk disk;
static struct device_table table;
static uint16_t *idx; /* of the available ring */

static void put(uint64_t offset, uint64_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = 4, .write = true, .addr = offset, .value = (uint32_t)value };

	device_access(&table, &io);
}

static uint32_t get(uint64_t offset)
{
	struct io_access io = { .space = IO_MEMORY, .size = 4, .addr = offset };

	device_access(&table, &io);
	return (uint32_t)io.value;
}

static void set_line(struct device_table *of, unsigned line, bool level)
{
	(void)of;
	(void)line;
	(void)level;
}

static void set_queue(void)
{
	const uint64_t at[] = { QUEUE, QUEUE + 0x800, USED };

	put(0x30, 0);
	put(0x38, BENCH_REQUESTS);
	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		put(0x80 + 0x10 * i, at[i]);
		put(0x84 + 0x10 * i, at[i] >> 32);
	}
	put(0x44, 1);
}

/* As Linux' driver makes it: a table of header, data and status. */
static void write_request(struct addr_space *space, unsigned number, uint32_t type, uint64_t data)
{
	const uint64_t at = TABLES + number * APART, header_at = HEADERS + number * APART;
	const struct virtio_blk_header header = { .type = type, .sector = number * (PAGE_SIZE / VIRTIO_BLK_SECTOR) };
	const struct descriptor head = { at, 3 * sizeof(head), INDIRECT, 0 };
	const struct descriptor parts[] = {
		{ header_at, sizeof(header), NEXT, 1 },
		{ data, PAGE_SIZE, NEXT | (type == 0 ? WRITE : 0), 2 },
		{ header_at + sizeof(header), 1, WRITE, 0 },
	};
	const uint16_t chain = (uint16_t)number;

	must(addr_space_write(space, GPA(header_at), &header, sizeof(header)));
	must(addr_space_write(space, GPA(at), parts, sizeof(parts)));
	must(addr_space_write(space, GPA(QUEUE + number * sizeof(head)), &head, sizeof(head)));
	must(addr_space_write(space, GPA(QUEUE + 0x804 + number * sizeof(chain)), &chain, sizeof(chain)));
	must(addr_space_fault_in(space, GPA(align_down(data, PAGE_SIZE)), PAGE_SIZE, NPT_RW));
}

/* Of a file whose frames nobody owns, the same for all spaces. */
static void make_disk(struct addr_space *space)
{
	static hpa_t file;

	if (file.raw == 0)
		must(frame_alloc(10, &file));
	must(addr_space_map_alloc(space, GPA(WINDOW), SIZE, NPT_RW, ALLOC_LAZY_4K));
	must(addr_space_map_shared(space, GPA(WINDOW), file, SIZE));
}

void bench_disk_set_up(struct addr_space *space, bool write, uint64_t offset)
{
	static const uint8_t zeros[2 * PAGE_SIZE]; /* here memory comes as it is */
	hpa_t ring;

	make_disk(space);
	must(addr_space_write(space, GPA(QUEUE), zeros, sizeof(zeros)));
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .memory = space, .set_line = set_line };
	virtio_blk_init(&disk, GPA(WINDOW), SIZE, false, "disk", 0, 1);
	device_add(&table, &disk.virtio.device);
	put(0x24, 0);
	put(0x20, VIRTIO_F_INDIRECT);
	put(0x24, 1);
	put(0x20, VIRTIO_F_VERSION_1 >> 32);
	put(0x70, 11);
	set_queue();
	put(0x70, 15);
	(void)device_work(&table);
	for (unsigned i = 0; i < BENCH_REQUESTS; i++)
		write_request(space, i, write, DATA + i * PAGE_SIZE + offset);
	must(addr_space_fault_in(space, GPA(USED), PAGE_SIZE, NPT_RW));
	must(addr_space_translate(space, GPA(QUEUE + 0x802), &ring));
	idx = frame_ptr(ring);
}

void bench_disk(void)
{
	for (unsigned i = 0; i < BENCH_REQUESTS; i++) {
		++*idx;
		put(0x50, 0);
		while (device_work(&table)) /* each 128 KiB a piece ends */
			;
		if (disk.status != 0)
			panic("bench: a request has failed");
		put(0x64, get(0x60));
	}
}
