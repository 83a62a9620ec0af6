/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver of virtio devices, as far as test guests want one. Each queue is two pages; a program has four. */
#ifndef NESTLING_TESTS_GUESTS_VIRTIO_H
#define NESTLING_TESTS_GUESTS_VIRTIO_H

#include <string.h>

#include "guest/rt/rt.h"
#include "isa.h"

#define SIZE   64 /* of queues */
#define MODERN (1ul << 32)

/* Numbers of devices: docs/guest-abi.md */
enum { BALLOON, RNG, DISK /* the first of eight */, CONSOLE = DISK + 8 };

enum { FEATURES_SEL = 0x24, FEATURES = 0x20, QUEUE_SEL = 0x30, QUEUE_NUM = 0x38, QUEUE_READY = 0x44, NOTIFY = 0x50, STATUS = 0x70 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4, DRIVER_OK = 15, NEEDS_RESET = 64 };

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

/* A queue, in two pages. */
struct queue {
	struct descriptor descriptor[SIZE];
	struct {
		uint16_t flags, idx, ring[SIZE];
	} available;
	struct {
		uint16_t flags, idx;
		struct {
			uint32_t id, length;
		} ring[SIZE];
	} used __attribute__((aligned(4096)));
} __attribute__((aligned(4096)));

static inline volatile uint32_t *virtio_at(unsigned device, uint64_t offset)
{
	uintptr_t address = VIRTIO(device) + offset;

	__asm__ volatile("" : "+r"(address));
	return (volatile uint32_t *)address;
}

static inline void virtio_put(unsigned device, uint64_t offset, uint64_t value)
{
	*virtio_at(device, offset) = (uint32_t)value;
}

/* As a driver begins, with these features; the queues are empty. */
static inline void virtio_begin(unsigned device, struct queue *queues, unsigned count, uint64_t features)
{
	memset(queues, 0, count * sizeof(*queues));
	virtio_put(device, STATUS, 0);
	virtio_put(device, STATUS, 3);
	virtio_put(device, FEATURES_SEL, 0);
	virtio_put(device, FEATURES, features);
	virtio_put(device, FEATURES_SEL, 1);
	virtio_put(device, FEATURES, features >> 32);
	virtio_put(device, STATUS, 11);
	for (unsigned i = 0; i < count; i++) {
		const uint64_t places[] = { (uintptr_t)&queues[i], (uintptr_t)&queues[i].available, (uintptr_t)&queues[i].used };

		virtio_put(device, QUEUE_SEL, i);
		virtio_put(device, QUEUE_NUM, SIZE);
		for (unsigned part = 0; part < 3; part++) {
			virtio_put(device, 0x80 + 0x10 * part, places[part]);
			virtio_put(device, 0x84 + 0x10 * part, places[part] >> 32);
		}
		virtio_put(device, QUEUE_READY, 1);
	}
	virtio_put(device, STATUS, DRIVER_OK);
}

/* Have the device serve the chain that begins with `head`: when this returns, it is done. */
static inline void virtio_offer(unsigned device, struct queue *queue, unsigned number, uint16_t head)
{
	queue->available.ring[queue->available.idx % SIZE] = head;
	__atomic_store_n(&queue->available.idx, (uint16_t)(queue->available.idx + 1), __ATOMIC_SEQ_CST);
	virtio_put(device, NOTIFY, number);
}

/* What the device says it has written into the chain that it gave back last. */
static inline uint32_t virtio_written(const struct queue *queue)
{
	return queue->used.ring[(uint16_t)(queue->used.idx - 1) % SIZE].length;
}

#endif
