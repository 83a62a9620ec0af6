/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver as it should not be: registers and queues that make no sense. */
#ifndef NESTLING_TESTS_GUESTS_VIRTIO_WILD_H
#define NESTLING_TESTS_GUESTS_VIRTIO_WILD_H

#include "tests/guests/check.h"
#include "tests/guests/virtio.h"

static struct rt_range room; /* what may be written, or given back, by whatever request */
static uint64_t seed = 0x9e3779b97f4a7c15;

static inline uint64_t random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Any register, by any size. */
static inline void access_any(unsigned device)
{
	uint64_t offset = random() % 3 ? random() % 0x100 : random() % 0x200, value = random() % 2 ? random() : random() % 200;

	if (offset >= 0x80 && offset < 0xa8)
		value = (uint32_t)room.start + random() % 0x10000; /* queues may lie where nothing else does */
	switch (random() % 6) {
	case 0:
		(void)*(volatile uint8_t *)virtio_at(device, offset);
		break;
	case 1:
		(void)*virtio_at(device, offset & ~3ul);
		break;
	case 2:
		(void)*(volatile uint64_t *)virtio_at(device, offset & ~7ul);
		break;
	case 3:
		*(volatile uint16_t *)virtio_at(device, offset & ~1ul) = (uint16_t)value;
		break;
	default:
		*virtio_at(device, offset & ~3ul) = (uint32_t)value;
	}
}

/* An address that is in the room, in a queue that is only read, or where there is no RAM. */
static inline uint64_t any_address(void)
{
	switch (random() % 6) {
	case 0:
		return ram_end() + random() % 0x10000 * 16;
	case 1:
		return -(random() % 64 * 16);
	default:
		return room.start + random() % room.size;
	}
}

static inline void describe_any(struct descriptor *table, unsigned entries)
{
	table[random() % entries] = (struct descriptor){
		.address = random() % 2 ? any_address() : room.start + random() % (room.size / RT_PAGE_SIZE) * RT_PAGE_SIZE,
		.length = (uint32_t)(random() % 3 ? random() % 64 * RT_PAGE_SIZE :
				     random() % 2 ? random() % 64 * 16 :
						    random()),
		.flags = (uint16_t)(random() % 8),
		.next = (uint16_t)(random() % 8 ? random() % SIZE : random()),
	};
}

static inline void change_queue(struct queue *queue)
{
	describe_any(queue->descriptor, SIZE);
	queue->available.ring[random() % SIZE] = (uint16_t)(random() % 16 ? random() % SIZE : random());
	if (random() % 4 == 0)
		queue->available.idx = (uint16_t)(queue->available.idx + random() % (SIZE + 2));
}

#endif
