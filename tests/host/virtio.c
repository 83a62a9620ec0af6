/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/virtio.h. A queue's first page has descriptors and the available ring, the second one the used ring. */
#include "tests/host/virtio.h"

#include <string.h>

#define AVAILABLE(at) ((at) + 0x800)
#define USED(at)      ((at) + PAGE_SIZE)

static struct virtio_machine *machine_of(struct device_table *table)
{
	return CONTAINER_OF(table, struct virtio_machine, table);
}

static void set_line(struct device_table *table, unsigned line, bool level)
{
	struct virtio_machine *machine = machine_of(table);

	CHECK_EQ(line, machine->device->line);
	assert_true(level != machine->level);
	machine->level = level;
	machine->raised += level;
}

void virtio_machine(struct virtio_machine *machine, struct space *space, struct io_device *device)
{
	*machine = (struct virtio_machine){
		.space = space,
		.device = device,
		.table = { .lock = SPINLOCK(LOCK_DEVICES), .memory = &space->as, .set_line = set_line },
	};
	machine->table.console = &machine->console;
	device_add(&machine->table, device);
}

static uint64_t driver_access(struct virtio_machine *machine, bool write, uint64_t offset, uint64_t value)
{
	struct io_access io = {
		.space = IO_MEMORY, .size = 4, .write = write, .addr = machine->device->base + offset, .value = value
	};

	device_access(&machine->table, &io);
	return io.value;
}

uint32_t driver_read(struct virtio_machine *machine, uint64_t offset)
{
	return (uint32_t)driver_access(machine, false, offset, 0);
}

void driver_write(struct virtio_machine *machine, uint64_t offset, uint32_t value)
{
	driver_access(machine, true, offset, value);
}

bool driver_begin(struct virtio_machine *machine, uint64_t features)
{
	driver_write(machine, REG_STATUS, 0);
	driver_write(machine, REG_STATUS, 3);
	for (uint32_t half = 0; half < 2; half++) {
		driver_write(machine, REG_DRIVER_FEATURES_SEL, half);
		driver_write(machine, REG_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
	}
	driver_write(machine, REG_STATUS, 3 | STAT_FEATURES_OK);
	return driver_read(machine, REG_STATUS) & STAT_FEATURES_OK;
}

static void write_address(struct virtio_machine *machine, uint64_t offset, uint64_t address)
{
	driver_write(machine, offset, (uint32_t)address);
	driver_write(machine, offset + 4, (uint32_t)(address >> 32));
}

void driver_queue(struct virtio_machine *machine, unsigned queue, uint64_t at, unsigned size)
{
	static const uint8_t zeros[2 * PAGE_SIZE];

	CHECK_ERR(addr_space_write(&machine->space->as, GPA(at), zeros, sizeof(zeros)), ERR_OK);
	driver_write(machine, REG_QUEUE_SEL, queue);
	driver_write(machine, REG_QUEUE_NUM, size);
	write_address(machine, REG_QUEUE_DESC, at);
	write_address(machine, REG_QUEUE_DRIVER, AVAILABLE(at));
	write_address(machine, REG_QUEUE_DEVICE, USED(at));
	driver_write(machine, REG_QUEUE_READY, 1);
	CHECK_EQ(driver_read(machine, REG_QUEUE_READY), 1);
}

void driver_go(struct virtio_machine *machine)
{
	driver_write(machine, REG_STATUS, 3 | STAT_FEATURES_OK | STAT_DRIVER_OK);
	driver_work(machine);
}

void driver_describe(struct virtio_machine *machine, uint64_t table, unsigned index, struct virtio_descriptor descriptor)
{
	CHECK_ERR(addr_space_write(&machine->space->as, GPA(table + index * sizeof(descriptor)), &descriptor, sizeof(descriptor)),
		  ERR_OK);
}

static void put16(struct virtio_machine *machine, uint64_t at, uint16_t value)
{
	CHECK_ERR(addr_space_write(&machine->space->as, GPA(at), &value, sizeof(value)), ERR_OK);
}

void driver_offer(struct virtio_machine *machine, uint64_t at, uint16_t idx, uint16_t head)
{
	put16(machine, AVAILABLE(at) + 4 + idx % QUEUE_SIZE * 2, head);
	put16(machine, AVAILABLE(at) + 2, (uint16_t)(idx + 1));
}

void driver_flags(struct virtio_machine *machine, uint64_t at, uint16_t flags)
{
	put16(machine, AVAILABLE(at), flags);
}

uint16_t driver_used(struct virtio_machine *machine, uint64_t at)
{
	uint16_t idx;

	CHECK_ERR(addr_space_read(&machine->space->as, GPA(USED(at) + 2), &idx, sizeof(idx)), ERR_OK);
	return idx;
}

void driver_work(struct virtio_machine *machine)
{
	machine->pieces = 0;
	while (device_wants(&machine->table)) {
		space_begin(machine->space);
		(void)device_work(&machine->table);
		space_check(machine->space);
		machine->pieces++;
	}
}

void driver_notify(struct virtio_machine *machine, unsigned queue)
{
	driver_write(machine, REG_QUEUE_NOTIFY, queue);
	driver_work(machine);
}
