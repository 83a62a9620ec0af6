/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver of a virtio device, as far as tests want one: registers, and queues that it fills in itself. */
#ifndef NESTLING_TESTS_HOST_VIRTIO_H
#define NESTLING_TESTS_HOST_VIRTIO_H

#include "drivers/console.h"
#include "tests/host/space.h"
#include "vmm/devices/virtio.h"

/* Registers and bits, by the specification's tables. */
enum {
	REG_DEVICE_FEATURES = 0x10,
	REG_DEVICE_FEATURES_SEL = 0x14,
	REG_DRIVER_FEATURES = 0x20,
	REG_DRIVER_FEATURES_SEL = 0x24,
	REG_QUEUE_SEL = 0x30,
	REG_QUEUE_NUM_MAX = 0x34,
	REG_QUEUE_NUM = 0x38,
	REG_QUEUE_READY = 0x44,
	REG_QUEUE_NOTIFY = 0x50,
	REG_INTERRUPT_STATUS = 0x60,
	REG_INTERRUPT_ACK = 0x64,
	REG_STATUS = 0x70,
	REG_QUEUE_DESC = 0x80,
	REG_QUEUE_DRIVER = 0x90,
	REG_QUEUE_DEVICE = 0xa0,
	REG_CONFIG = 0x100,
	STAT_FEATURES_OK = 8,
	STAT_DRIVER_OK = 4,
	STAT_NEEDS_RESET = 64,
	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4,
	QUEUE_SIZE = 64,
};

struct virtio_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

/* The machine around the device: its guest's memory, and what its lines do. */
struct virtio_machine {
	struct space *space;
	struct console_stream console;
	struct device_table table;
	struct io_device *device;
	unsigned raised; /* times that the device's line went up */
	bool level;
	unsigned pieces; /* that the last notification took */
};

void virtio_machine(struct virtio_machine *machine, struct space *space, struct io_device *device);

uint32_t driver_read(struct virtio_machine *machine, uint64_t offset);
void driver_write(struct virtio_machine *machine, uint64_t offset, uint32_t value);
/* Reset, and go as far as FEATURES_OK with these features. Returns whether the device agrees. */
bool driver_begin(struct virtio_machine *machine, uint64_t features);
/* Set a queue of `size` up in the page at `at`, which is all its own, and the next one. */
void driver_queue(struct virtio_machine *machine, unsigned queue, uint64_t at, unsigned size);
/* Say that all is ready, and let the device look. */
void driver_go(struct virtio_machine *machine);
/* Let it work until it has nothing to do. */
void driver_work(struct virtio_machine *machine);

/* What is in a queue's pages. */
void driver_describe(struct virtio_machine *machine, uint64_t table, unsigned index, struct virtio_descriptor descriptor);
void driver_offer(struct virtio_machine *machine, uint64_t at, uint16_t idx, uint16_t head);
uint16_t driver_used(struct virtio_machine *machine, uint64_t at);
void driver_flags(struct virtio_machine *machine, uint64_t at, uint16_t flags);
/* Notify it, and let it work. */
void driver_notify(struct virtio_machine *machine, unsigned queue);

#endif
