/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio memory balloon. What the guest gives is discarded: its next touch finds zeros. */
#include "vmm/devices/balloon.h"

#include <string.h>

#include "mm/addr_space.h"

/* 5.5.3 "Feature bits" */
#define F_STATISTICS     BIT(1)
#define F_DEFLATE_ON_OOM BIT(2) /* the guest may take back what is in the balloon before it kills a process: nothing to do here */
#define F_REPORTING      BIT(5)

#define DEVICE_ID 5

/* 5.5.4 "Device configuration layout": the pages that are to be in the balloon, and those that the driver says are. */
enum { CONFIG_WANTED = 0, CONFIG_ACTUAL = 4, CONFIG_SIZE = 8 };

/* 5.5.2 "Virtqueues": those that not every driver wants have the next numbers. */
enum { QUEUE_INFLATE = 0, QUEUE_DEFLATE = 1, QUEUE_MORE = 2, QUEUES = 4 };

#define PAGE_OF_BALLOON 4096u /* 5.5.6: whatever pages the guest has */

static struct addr_space *memory(const struct balloon *balloon)
{
	return balloon->virtio.device.table->memory;
}

static void note_discarded(const struct balloon *balloon, gpa_t gpa, uint64_t size)
{
	struct device_table *table = balloon->virtio.device.table;

	if (table->discarded && size > 0)
		table->discarded(table, gpa.raw, size);
}

static void note_all_discarded(const struct balloon *balloon, const struct virtio_buffer *buffers, unsigned count)
{
	if (!balloon->virtio.device.table->discarded)
		return;
	for (unsigned i = 0; i < count; i++)
		note_discarded(balloon, buffers[i].gpa, buffers[i].size);
}

/* --- Reporting ------------------------------------------------------------------------------------------------------- */

/* 5.5.6.8: each buffer is a run of free pages. One flush for all of them. What is none of the device's to write is left alone. */
static bool serve_report(struct balloon *balloon)
{
	struct virtio *virtio = &balloon->virtio;
	struct addr_space_range ranges[VIRTIO_BUFFERS];
	unsigned count, done;
	struct virtio_buffer *buffers = virtio_buffers(virtio, &count);

	for (unsigned i = 0; i < count; i++)
		ranges[i] = (struct addr_space_range){ buffers[i].gpa, buffers[i].writable ? buffers[i].size : 0 };
	done = addr_space_discard_ranges(memory(balloon), ranges, count, &balloon->reported);
	note_all_discarded(balloon, buffers, done);
	if (done < count) {
		note_discarded(balloon, buffers[done].gpa, buffers[done].size - ranges[done].size);
		buffers[done].gpa = ranges[done].gpa;
		buffers[done].size = (uint32_t)ranges[done].size;
	}
	virtio_used(virtio, done);
	return count == 0 || virtio_is_over(virtio);
}

/* --- Inflating ------------------------------------------------------------------------------------------------------- */

#define NUMBERS 64 /* of pages, at once */

/* Ranges of the pages with these numbers: of those that follow each other, one. */
static unsigned ranges_of(const uint32_t *numbers, unsigned count, struct addr_space_range *ranges)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t gpa = (uint64_t)numbers[i] * PAGE_OF_BALLOON;

		if (found > 0 && ranges[found - 1].gpa.raw + ranges[found - 1].size == gpa)
			ranges[found - 1].size += PAGE_OF_BALLOON;
		else
			ranges[found++] = (struct addr_space_range){ GPA(gpa), PAGE_OF_BALLOON };
	}
	return found;
}

/* Discard the pages with these numbers. Returns how many of them, from the first on, are done. */
static unsigned inflate(struct balloon *balloon, const uint32_t *numbers, unsigned count)
{
	struct addr_space_range ranges[NUMBERS];
	unsigned found = ranges_of(numbers, count, ranges);
	unsigned done = addr_space_discard_ranges(memory(balloon), ranges, found, &balloon->inflated);

	for (unsigned i = done; i < found; i++)
		count -= (unsigned)(ranges[i].size / PAGE_OF_BALLOON);
	for (unsigned i = 0; i < count; i++)
		note_discarded(balloon, GPA((uint64_t)numbers[i] * PAGE_OF_BALLOON), PAGE_OF_BALLOON);
	return count;
}

/* 5.5.6.1: buffers with page numbers of 32 bits. */
static bool serve_inflate(struct balloon *balloon)
{
	struct virtio *virtio = &balloon->virtio;
	uint32_t numbers[NUMBERS];
	unsigned count, left;
	struct virtio_buffer *buffer = virtio_buffers(virtio, &left);

	if (left == 0)
		return true;
	count = (unsigned)min_u64(buffer->size / sizeof(numbers[0]), NUMBERS);
	if (buffer->writable || count == 0) {
		virtio_used(virtio, 1);
	} else if (addr_space_read(memory(balloon), buffer->gpa, numbers, count * sizeof(numbers[0])) != ERR_OK) {
		virtio_stop(virtio, "the numbers of its pages are not in memory");
	} else {
		count = inflate(balloon, numbers, count);
		buffer->gpa.raw += count * sizeof(numbers[0]);
		buffer->size -= (uint32_t)(count * sizeof(numbers[0]));
		virtio_used(virtio, buffer->size < sizeof(numbers[0]) ? 1 : 0);
	}
	return virtio_is_over(virtio);
}

/* --- Statistics ------------------------------------------------------------------------------------------------------ */

struct statistic {
	uint16_t tag;
	uint64_t value;
} __attribute__((packed));

static void note_statistics(struct balloon *balloon, const struct statistic *found, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (found[i].tag < BALLOON_STATISTICS)
			__atomic_store_n(&balloon->statistic[found[i].tag], found[i].value, __ATOMIC_RELAXED);
	__atomic_store_n(&balloon->told, true, __ATOMIC_RELEASE);
}

/* 5.5.6.3: a buffer of statistics is kept, until new ones are wanted. */
static bool serve_statistics(struct balloon *balloon)
{
	struct virtio *virtio = &balloon->virtio;
	struct statistic found[2 * BALLOON_STATISTICS];
	unsigned count, left;
	const struct virtio_buffer *buffer = virtio_buffers(virtio, &left);

	if (left == 0)
		return true;
	count = buffer->writable ? 0 : (unsigned)min_u64(buffer->size / sizeof(found[0]), ARRAY_LEN(found));
	if (addr_space_read(memory(balloon), buffer->gpa, found, count * sizeof(found[0])) != ERR_OK) {
		virtio_stop(virtio, "its statistics are not in memory");
		return true;
	}
	note_statistics(balloon, found, count);
	if (balloon->asks)
		virtio_give(virtio, virtio->current, balloon->asked, 0);
	balloon->asks = true;
	balloon->asked = virtio_keep(virtio);
	return true;
}

void balloon_ask(struct balloon *balloon)
{
	struct device_table *table = balloon->virtio.device.table;

	if (!__atomic_load_n(&balloon->asks, __ATOMIC_RELAXED))
		return;
	spin_lock(&table->lock);
	if (balloon->asks) {
		balloon->asks = false;
		virtio_give(&balloon->virtio, QUEUE_MORE, balloon->asked, 0);
	}
	spin_unlock(&table->lock);
}

/* --- The device ------------------------------------------------------------------------------------------------------ */

static bool serve(struct virtio *virtio, unsigned queue, uint32_t *written)
{
	struct balloon *balloon = CONTAINER_OF(virtio, struct balloon, virtio);
	bool statistics = virtio_has(virtio, F_STATISTICS);
	unsigned reports = statistics ? QUEUE_MORE + 1 : QUEUE_MORE;

	*written = 0;
	if (queue == QUEUE_INFLATE)
		return serve_inflate(balloon);
	if (queue == QUEUE_MORE && statistics)
		return serve_statistics(balloon);
	if (queue == reports && virtio_has(virtio, F_REPORTING))
		return serve_report(balloon);
	return true; /* deflated: what is touched will be there */
}

static void reset(struct virtio *virtio)
{
	struct balloon *balloon = CONTAINER_OF(virtio, struct balloon, virtio);

	balloon->asks = balloon->told = false;
}

void balloon_init(struct balloon *balloon, uint64_t base, unsigned line)
{
	static const struct virtio_kind kind = {
		.name = "balloon",
		.id = DEVICE_ID,
		.queues = QUEUES,
		.features = F_STATISTICS | F_DEFLATE_ON_OOM | F_REPORTING,
		.config_size = CONFIG_SIZE,
		.writable = CONFIG_ACTUAL,
		.writable_size = CONFIG_SIZE - CONFIG_ACTUAL,
		.serve = serve,
		.reset = reset,
	};

	*balloon = (struct balloon){ 0 };
	virtio_init(&balloon->virtio, &kind, base, line);
	memset(balloon->statistic, 0xff, sizeof(balloon->statistic));
}
