/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All vCPUs access whatever registers there are, by every size and alignment, with values of all kinds, at once. What becomes of
 * this VM is its own affair; the command line may have seed= and accesses=.
 */
#include <string.h>

#include "guest/rt/fault.h"
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "isa.h"
#include "tests/guests/check.h"
#include "command_line.h"
#include "tests/guests/option.h"

static const struct {
	uint64_t start, size;
} areas[] = { WILD_AREAS };

static uint64_t seeds[RT_CPUS], accesses;
static struct rt_range room; /* where queues may lie, and the only memory that devices are told to write to */
static uint64_t stray[RT_CPUS];

static uint64_t random(void)
{
	uint64_t *seed = &seeds[rt_cpu_id()];

	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint64_t value(void)
{
	switch (random() % 6) {
	case 0:
		return random() % 16;
	case 1:
		return random();
	case 2:
		return 1ul << random() % 64;
	case 3:
		return -(random() % 4);
	default:
		return room.start + random() % room.size;
	}
}

/* EXIT and FORK of the control page are other tests' affair. */
static bool is_call(uint64_t at)
{
	return at + 8 > CONTROL_PAGE + 8 && at < CONTROL_PAGE + 16;
}

/* Queues' addresses: in the room, or nowhere. */
static bool is_queue(uint64_t at)
{
	uint64_t offset = (at - VIRTIO(0)) % (VIRTIO(1) - VIRTIO(0));

	return at + 8 > VIRTIO(0) && at < VIRTIO(11) && offset >= 0x78 && offset < 0xb0;
}

static void access_8(volatile uint64_t *at)
{
	if (random() % 2)
		(void)*(volatile uint8_t *)at;
	else
		*(volatile uint8_t *)at = (uint8_t)value();
}

static void access_16(volatile uint64_t *at)
{
	if (random() % 2)
		(void)*(volatile uint16_t *)at;
	else
		*(volatile uint16_t *)at = (uint16_t)value();
}

static void access_32(volatile uint64_t *at)
{
	uint64_t queue = room.start + random() % (room.size / 16) * 16;

	if (random() % 3 == 0)
		(void)*(volatile uint32_t *)at;
	else
		*(volatile uint32_t *)at = (uint32_t)(is_queue((uint64_t)at) ? (random() % 4 ? queue : 0) : value());
}

static void access_64(volatile uint64_t *at)
{
	if (random() % 2)
		(void)*at;
	else
		*at = value();
}

/* A register of a virtio device, of which there are all, or of another one. */
static uint64_t anywhere(void)
{
	unsigned area = (unsigned)(random() % (2 * sizeof(areas) / sizeof(*areas)));
	uint64_t start = VIRTIO(random() % 11), size = 0x200, offset;

	if (area < sizeof(areas) / sizeof(*areas)) {
		start = areas[area].start;
		size = areas[area].size;
	}
	offset = random() % (size > 8 ? size - 7 : size);
	if (random() % 2)
		offset %= 0x400;
	return start + (random() % 4 ? offset & ~3ul : offset);
}

static void access_any(void)
{
	static void (*const ways[])(volatile uint64_t *) = { access_32, access_8, access_16, access_32, access_64 };
	uint64_t at = anywhere();

	if (is_call(at))
		return;
	if (!rt_attempt(ways[is_queue(at) ? 0 : random() % 5], (volatile uint64_t *)at))
		stray[rt_cpu_id()]++;
}

static void wild(void *unused)
{
	(void)unused;
	for (uint64_t i = 0; i < accesses; i++)
		access_any();
}

int guest_main(void)
{
	const char *line = command_line();

	accesses = option(line, "accesses=", 5000);
	room = rt_take(RT_BLOCK_SIZE);
	rt_fault_init();
	for (uint64_t id = 0; id < RT_CPUS; id++)
		seeds[id] = (option(line, "seed=", 1) + 1) * 0x9e3779b97f4a7c15 + id * 0x1234567;
	rt_cpu_all(wild, NULL);
	rt_printf("wild_devices: %lu accesses by each vCPU, %lu of vCPU 0 not carried out\n", accesses, stray[0]);
	return 0;
}
