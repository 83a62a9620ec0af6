/* SPDX-License-Identifier: BSD-2-Clause */
/* What a report of free pages costs, from the guest's notification on: see bench/host/bench.h. */
#include "bench/host/bench.h"
#include "vmm/devices/balloon.h"

#define QUEUE   (BASE + MIB(128)) /* descriptors, available ring */
#define USED    (QUEUE + PAGE_SIZE)
#define TABLE   (QUEUE + 2 * PAGE_SIZE)
#define NUMBER  2 /* of the queue, with reporting alone */
#define REPORTS BIT(5)

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static struct balloon balloon;
static struct device_table table;

static void put(uint64_t offset, uint64_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = 4, .write = true, .addr = offset, .value = (uint32_t)value };

	device_access(&table, &io);
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

	put(0x30, NUMBER);
	put(0x38, 64);
	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		put(0x80 + 0x10 * i, at[i]);
		put(0x84 + 0x10 * i, at[i] >> 32);
	}
	put(0x44, 1);
}

static void write_report(struct addr_space *space)
{
	const struct descriptor head = { TABLE, REPORTED * sizeof(head), INDIRECT, 0 };
	const uint16_t available[] = { 0, 1, 0 }; /* flags, idx, the first head: memory comes as it is here */

	for (unsigned i = 0; i < REPORTED; i++) {
		const struct descriptor block = { BASE + i * MIB(2), MIB(2), WRITE | (i + 1 < REPORTED ? NEXT : 0),
						  (uint16_t)(i + 1) };

		must(addr_space_write(space, GPA(TABLE + i * sizeof(block)), &block, sizeof(block)));
	}
	must(addr_space_write(space, GPA(QUEUE), &head, sizeof(head)));
	must(addr_space_write(space, GPA(QUEUE + 0x800), available, sizeof(available)));
	must(addr_space_fault_in(space, GPA(USED), PAGE_SIZE, NPT_R | NPT_W));
}

void bench_report_set_up(struct addr_space *space)
{
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .memory = space, .set_line = set_line };
	balloon_init(&balloon, 0, 1);
	device_add(&table, &balloon.virtio.device);
	put(0x24, 0);
	put(0x20, REPORTS | VIRTIO_F_INDIRECT);
	put(0x24, 1);
	put(0x20, VIRTIO_F_VERSION_1 >> 32);
	put(0x70, 11);
	set_queue();
	put(0x70, 15);
	if (device_work(&table))
		panic("bench: the device is busy");
	write_report(space);
}

void bench_report(void)
{
	put(0x50, NUMBER);
	if (device_work(&table) || balloon.reported != REPORTED * MIB(2))
		panic("bench: a report is not one piece, or not all was given back");
}
