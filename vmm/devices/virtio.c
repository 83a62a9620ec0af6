/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a virtio device, and what its driver does with them. */
#include "vmm/devices/virtio.h"

#include <string.h>

#include "vmm/devices/virtio_queue.h"

/* 4.2.2 "MMIO Device Register Layout" */
enum {
	MAGIC_VALUE = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_NUM_MAX = 0x034,
	QUEUE_NUM = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC_LOW = 0x080,
	QUEUE_DESC_HIGH = 0x084,
	QUEUE_DRIVER_LOW = 0x090,
	QUEUE_DRIVER_HIGH = 0x094,
	QUEUE_DEVICE_LOW = 0x0a0,
	QUEUE_DEVICE_HIGH = 0x0a4,
	SHM_LEN_LOW = 0x0b0,
	SHM_BASE_HIGH = 0x0bc,
};

#define MAGIC        0x74726976u /* "virt" */
#define MODERN       2u
#define VENDOR       0x4c54534eu /* "NSTL" */
#define NO_SHM       UINT32_MAX  /* 4.2.2: of a region that is not there */
#define ALL_FEATURES (virtio->kind->features | VIRTIO_F_INDIRECT | VIRTIO_F_VERSION_1)

/* 2.4 "Device Reset": all but what the device says of itself. */
static void reset(struct virtio *virtio)
{
	virtio->features = 0;
	virtio->device_features_sel = virtio->driver_features_sel = virtio->queue_sel = 0;
	virtio->status = virtio->interrupt = 0;
	virtio->current = 0;
	virtio->chain = (struct virtio_chain){ 0 };
	memset(virtio->queue, 0, sizeof(virtio->queue));
	memset(virtio->config + virtio->kind->writable, 0, virtio->kind->writable_size);
	if (virtio->kind->reset)
		virtio->kind->reset(virtio);
	virtio_update_listens(virtio);
	virtio_update_line(virtio);
}

/* What drivers have put into their queues before they said that they were ready (Linux' balloon does) is looked at then. */
static void look_at_all(struct virtio *virtio)
{
	for (unsigned i = 0; i < virtio->kind->queues; i++)
		virtio->queue[i].notified = virtio->queue[i].ready;
	device_want(&virtio->device);
}

/* 2.1 "Device Status Field": the driver sets bits; it clears them all by a reset. */
static void write_status(struct virtio *virtio, uint32_t value)
{
	bool agreed = virtio->features & VIRTIO_F_VERSION_1 && !(virtio->features & ~ALL_FEATURES), ran = virtio_runs(virtio);

	if (value == 0) {
		reset(virtio);
		return;
	}
	if (!agreed)
		value &= ~(uint32_t)(STATUS_FEATURES_OK | STATUS_DRIVER_OK); /* 3.1.1: what it wants is not to be had */
	virtio->status |= value & STATUS_DRIVERS;
	if (!(virtio->status & STATUS_FEATURES_OK))
		virtio->status &= ~(uint32_t)STATUS_DRIVER_OK;
	virtio_update_listens(virtio);
	if (!ran && virtio_runs(virtio))
		look_at_all(virtio);
}

static void write_features(struct virtio *virtio, uint32_t value)
{
	unsigned shift = 32 * virtio->driver_features_sel;

	if (virtio->status & STATUS_FEATURES_OK)
		return;
	if (virtio->driver_features_sel < 2)
		virtio->features = (virtio->features & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
	else if (value != 0)
		virtio->features &= ~VIRTIO_F_VERSION_1; /* there are none: it will not be agreed */
}

/* The queue that the driver has selected; NULL: there is no such queue. */
static struct virtio_queue *selected(struct virtio *virtio)
{
	return virtio->queue_sel < virtio->kind->queues ? &virtio->queue[virtio->queue_sel] : NULL;
}

/* 2.7 "Split Virtqueues": a power of two, and parts that are aligned. Where they lie is seen when they are used. */
static bool may_be_ready(const struct virtio_queue *queue)
{
	return queue->size > 0 && queue->size <= VIRTIO_QUEUE_MAX && (queue->size & (queue->size - 1)) == 0 &&
	       is_aligned(queue->descriptors, 16) && is_aligned(queue->driver, 2) && is_aligned(queue->device, 4);
}

static void write_ready(struct virtio *virtio, struct virtio_queue *queue, uint32_t value)
{
	if (value == 0 && virtio->chain.taken && virtio->current == virtio->queue_sel)
		virtio->chain.taken = false;
	if (value == 0)
		*queue = (struct virtio_queue){ 0 };
	else
		queue->ready = may_be_ready(queue);
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	uint64_t kept = high ? *address & UINT32_MAX : *address & ~(uint64_t)UINT32_MAX;

	*address = kept | (high ? (uint64_t)value << 32 : value);
}

/* A queue that is ready keeps its place. */
static void write_queue(struct virtio *virtio, uint64_t offset, uint32_t value)
{
	struct virtio_queue *queue = selected(virtio);

	if (!queue || (queue->ready && offset != QUEUE_READY))
		return;
	switch (offset) {
	case QUEUE_NUM:
		queue->size = value <= VIRTIO_QUEUE_MAX ? (uint16_t)value : 0;
		break;
	case QUEUE_READY:
		write_ready(virtio, queue, value);
		break;
	case QUEUE_DESC_LOW:
	case QUEUE_DESC_HIGH:
		set_half(&queue->descriptors, offset == QUEUE_DESC_HIGH, value);
		break;
	case QUEUE_DRIVER_LOW:
	case QUEUE_DRIVER_HIGH:
		set_half(&queue->driver, offset == QUEUE_DRIVER_HIGH, value);
		break;
	case QUEUE_DEVICE_LOW:
	case QUEUE_DEVICE_HIGH:
		set_half(&queue->device, offset == QUEUE_DEVICE_HIGH, value);
		break;
	}
}

static void notify(struct virtio *virtio, uint32_t number)
{
	if (number >= virtio->kind->queues || !virtio->queue[number].ready || !virtio_runs(virtio))
		return;
	virtio->queue[number].notified = true;
	device_want(&virtio->device);
}

static void write_register(struct virtio *virtio, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case DEVICE_FEATURES_SEL:
		virtio->device_features_sel = value;
		break;
	case DRIVER_FEATURES:
		write_features(virtio, value);
		break;
	case DRIVER_FEATURES_SEL:
		virtio->driver_features_sel = value;
		break;
	case QUEUE_SEL:
		virtio->queue_sel = value;
		break;
	case QUEUE_NOTIFY:
		notify(virtio, value);
		break;
	case INTERRUPT_ACK:
		virtio->interrupt &= ~value;
		virtio_update_line(virtio);
		break;
	case STATUS:
		write_status(virtio, value);
		break;
	default:
		write_queue(virtio, offset, value);
	}
}

static uint32_t read_register(struct virtio *virtio, uint64_t offset)
{
	const struct virtio_queue *queue = selected(virtio);

	switch (offset) {
	case MAGIC_VALUE:
		return MAGIC;
	case VERSION:
		return MODERN;
	case DEVICE_ID:
		return virtio->kind->id;
	case VENDOR_ID:
		return VENDOR;
	case DEVICE_FEATURES:
		return virtio->device_features_sel < 2 ? (uint32_t)(ALL_FEATURES >> 32 * virtio->device_features_sel) : 0;
	case QUEUE_NUM_MAX:
		return queue ? VIRTIO_QUEUE_MAX : 0;
	case QUEUE_READY:
		return queue && queue->ready;
	case INTERRUPT_STATUS:
		return virtio->interrupt;
	case STATUS:
		return virtio->status;
	case SHM_LEN_LOW ... SHM_BASE_HIGH:
		return NO_SHM;
	default:
		return 0;
	}
}

/* The device's own registers are bytes, accessed by any number of them. */
static void access_config(struct virtio *virtio, uint64_t offset, struct io_access *io)
{
	const struct virtio_kind *kind = virtio->kind;

	if (!io->write)
		io->value = 0;
	for (unsigned i = 0; i < io->size && offset + i < kind->config_size; i++) {
		uint64_t at = offset + i;

		if (!io->write)
			io->value |= (uint64_t)virtio->config[at] << 8 * i;
		else if (at - kind->writable < kind->writable_size)
			virtio->config[at] = (uint8_t)(io->value >> 8 * i);
	}
}

/* 4.2.2.2: registers are accessed by words that are aligned; anything else has no effect here and reads as 0. */
static void virtio_access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct virtio *virtio = CONTAINER_OF(device, struct virtio, device);
	bool word = io->size == 4 && is_aligned(offset, 4);

	if (offset >= VIRTIO_CONFIG)
		access_config(virtio, offset - VIRTIO_CONFIG, io);
	else if (!io->write)
		io->value = word ? read_register(virtio, offset) : 0;
	else if (word)
		write_register(virtio, offset, (uint32_t)io->value);
}

static bool work(struct io_device *device)
{
	return virtio_work(CONTAINER_OF(device, struct virtio, device));
}

void virtio_init(struct virtio *virtio, const struct virtio_kind *kind, uint64_t base, unsigned line)
{
	*virtio = (struct virtio){
		.device = {
			.space = IO_MEMORY,
			.base = base,
			.size = VIRTIO_REGISTERS,
			.access = virtio_access,
			.slow = true,
			.work = work,
			.line = line,
		},
		.kind = kind,
	};
}
