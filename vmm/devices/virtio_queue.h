/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the virtio transport share: virtio.c has its registers, virtio_queue.c its queues. */
#ifndef NESTLING_VMM_DEVICES_VIRTIO_QUEUE_H
#define NESTLING_VMM_DEVICES_VIRTIO_QUEUE_H

#include "vmm/devices/virtio.h"

/* 2.1 "Device Status Field". What the driver may set, and what the device sets. */
enum virtio_status {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 64,
	STATUS_FAILED = 128,
	STATUS_DRIVERS = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK | STATUS_FEATURES_OK | STATUS_FAILED,
};

/* 4.2.2 "InterruptStatus" */
enum virtio_interrupt { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2 };

static inline bool virtio_runs(const struct virtio *virtio)
{
	return (virtio->status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) == STATUS_DRIVER_OK;
}

/* A console takes what is typed while its driver runs. After each change of `status`, with the table's lock. */
static inline void virtio_update_listens(struct virtio *virtio)
{
	STORE_RELAXED(virtio->device.listens, virtio->device.receive && virtio_runs(virtio));
}

/* The line is as InterruptStatus says. With the table's lock, as all of these. */
void virtio_update_line(struct virtio *virtio);

/* Do a piece of what the queues ask for. True: there is more. */
bool virtio_work(struct virtio *virtio);

#endif
