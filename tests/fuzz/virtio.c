/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/fuzz/virtio.h. */
#include "tests/fuzz/virtio.h"

#include "drivers/console.h"

#define PAGES (FUZZ_RAM_SIZE / PAGE_SIZE)

struct vm *fuzz_vm;
static const struct fuzz_virtio *fuzz;
static struct device_table table;
static struct console_stream console;
static bool level;

static void set_line(struct device_table *of, unsigned line, bool now)
{
	CHECK(of == &table && line == FUZZ_LINE && now != level, "line %u", line);
	level = now;
}

static void access_register(bool write, uint64_t offset, uint8_t size, uint64_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = write, .addr = FUZZ_BASE + offset };

	io.value = write ? value & (~UINT64_C(0) >> (64 - 8 * size)) : 0;
	device_access(&table, &io);
	CHECK(write || size == 8 || io.value >> 8 * size == 0, "%#jx is more than %u bytes", (uintmax_t)io.value, size);
}

static void write_word(uint64_t offset, uint64_t value)
{
	access_register(true, offset, 4, (uint32_t)value);
}

/* An address that often is in RAM, and often where a queue is. */
static uint64_t pick_address(struct host_rng *rng)
{
	switch (host_below(rng, 8)) {
	case 0:
		return host_random(rng);
	case 1:
		return FUZZ_RAM_AT + FUZZ_RAM_SIZE - host_below(rng, 64);
	case 2:
		return FUZZ_RAM_AT + host_below(rng, PAGES) * PAGE_SIZE;
	default:
		return FUZZ_RAM_AT + host_below(rng, fuzz->queues) * 2 * PAGE_SIZE + host_below(rng, 96) * 16;
	}
}

static void set_queue(struct host_rng *rng)
{
	uint64_t queue = host_below(rng, fuzz->queues), at = FUZZ_RAM_AT + queue * 2 * PAGE_SIZE;
	bool wild = host_below(rng, 6) == 0;

	write_word(0x30, queue);
	write_word(0x44, 0);
	write_word(0x38, wild ? host_random(rng) : UINT64_C(1) << host_below(rng, 8));
	for (unsigned i = 0; i < 3; i++) {
		uint64_t address = wild ? pick_address(rng) : at + i * 0x800;

		write_word(0x80 + i * 0x10, address);
		write_word(0x84 + i * 0x10, address >> 32);
	}
	write_word(0x44, 1);
}

static void begin(struct host_rng *rng)
{
	uint64_t features = VIRTIO_F_VERSION_1 | host_below(rng, 8) << 3 | (host_below(rng, 2) ? VIRTIO_F_INDIRECT : 0);

	write_word(0x70, 0);
	write_word(0x70, 3);
	write_word(0x24, 0);
	write_word(0x20, (features | host_below(rng, 4)) & fuzz->features);
	write_word(0x24, 1);
	write_word(0x20, features >> 32);
	write_word(0x70, 11);
	for (unsigned i = 0; i < fuzz->queues; i++)
		set_queue(rng);
	write_word(0x70, 15);
}

static void put(uint64_t at, const void *bytes, size_t size)
{
	(void)!addr_space_write(&fuzz_vm->as, GPA(at), bytes, size);
}

static uint64_t pick_queue(struct host_rng *rng)
{
	return FUZZ_RAM_AT + host_below(rng, fuzz->queues) * 2 * PAGE_SIZE;
}

static void describe(struct host_rng *rng)
{
	uint64_t at = pick_queue(rng) + host_below(rng, 4) * PAGE_SIZE * host_below(rng, 2);
	struct {
		uint64_t address;
		uint32_t length;
		uint16_t flags, next;
	} descriptor = {
		.address = pick_address(rng),
		.length = (uint32_t)(host_below(rng, 4) ? host_below(rng, 9) * 16 << 8 * host_below(rng, 2) : host_random(rng)),
		.flags = (uint16_t)host_below(rng, 8),
		.next = (uint16_t)(host_below(rng, 8) ? host_below(rng, 8) : host_random(rng)),
	};

	put(at + host_below(rng, 8) * sizeof(descriptor), &descriptor, sizeof(descriptor));
}

/* Something in an available ring. */
static void offer(struct host_rng *rng)
{
	uint64_t at = pick_queue(rng) + 0x800;
	uint16_t value = (uint16_t)(host_below(rng, 8) ? host_below(rng, 6) : host_random(rng));

	put(at + (host_below(rng, 2) ? 2 : host_below(rng, 12) * 2), &value, sizeof(value));
}

static void check(void)
{
	const struct virtio *virtio = fuzz->virtio;

	CHECK(level == (virtio->interrupt != 0), "interrupt %#x", virtio->interrupt);
	CHECK(!(virtio->features & ~(fuzz->features | VIRTIO_F_VERSION_1)) || !(virtio->status & 8), "%#jx",
	      (uintmax_t)virtio->features);
	CHECK(guest_resident(fuzz_vm) <= FUZZ_RAM_SIZE, "%#jx resident", (uintmax_t)guest_resident(fuzz_vm));
	for (unsigned i = 0; i < fuzz->queues; i++)
		CHECK(!virtio->queue[i].ready || (virtio->queue[i].size & (virtio->queue[i].size - 1)) == 0, "size %u",
		      virtio->queue[i].size);
	if (fuzz->check)
		fuzz->check();
}

/* Between two pieces the driver may do anything. */
static void work(struct host_rng *rng)
{
	for (unsigned pieces = 0; device_wants(&table); pieces++) {
		CHECK(pieces < fuzz->work_max, "%u pieces", pieces);
		(void)device_work(&table);
		check();
		if (host_rng_spent(rng))
			continue;
		if (host_below(rng, 8) == 0)
			describe(rng);
		if (host_below(rng, 16) == 0)
			begin(rng);
	}
}

static void step(struct host_rng *rng, void (*more)(struct host_rng *rng))
{
	switch (host_below(rng, 8)) {
	case 0:
		begin(rng);
		break;
	case 1:
		access_register(host_below(rng, 2),
				host_below(rng, 2) ? host_below(rng, VIRTIO_REGISTERS - 8) : host_below(rng, 64) * 4,
				(uint8_t)(1 << host_below(rng, 4)), host_random(rng));
		break;
	case 2:
		if (more)
			more(rng);
		break;
	case 3 ... 4:
		describe(rng);
		break;
	case 5:
		offer(rng);
		break;
	default:
		write_word(0x50, host_below(rng, fuzz->queues + 1));
	}
	check();
	work(rng);
}

void fuzz_virtio_run(const struct fuzz_virtio *of, struct host_rng *rng, void (*more)(struct host_rng *rng))
{
	fuzz = of;
	fuzz_vm = guest_new(FUZZ_RAM_AT, FUZZ_RAM_SIZE, 0, 0);
	table = (struct device_table){
		.lock = SPINLOCK(LOCK_DEVICES),
		.console = &console,
		.memory = &fuzz_vm->as,
		.set_line = set_line,
	};
	level = false;
	device_add(&table, &fuzz->virtio->device);
	while (!host_rng_spent(rng))
		step(rng, more);
}
