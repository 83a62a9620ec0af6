/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio console with one port: what the guest sends is printed, what is typed for the VM it receives. It receives nothing before
 * it has sent something, for Linux throws away what comes before somebody has opened its hvc0 (drivers/char/virtio_console.c,
 * in_intr). Source: VIRTIO 1.2, 5.3 "Console Device".
 */
#ifndef NESTLING_VMM_DEVICES_VIRTIO_CONSOLE_H
#define NESTLING_VMM_DEVICES_VIRTIO_CONSOLE_H

#include "vmm/devices/virtio.h"

#define VIRTIO_CONSOLE_ROOM 64

struct virtio_console {
	struct virtio virtio;
	uint8_t typed[VIRTIO_CONSOLE_ROOM]; /* and not received yet: a ring */
	uint8_t first, count;
	bool has_sent; /* since its last reset */
};

void virtio_console_init(struct virtio_console *console, uint64_t base, unsigned line);

#endif
