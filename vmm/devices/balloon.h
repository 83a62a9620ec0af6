/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio memory balloon: the guest says which of its memory it does not need, and that is given back to the host.
 * Source: VIRTIO 1.2, 5.5 "Traditional Memory Balloon Device".
 */
#ifndef NESTLING_VMM_DEVICES_BALLOON_H
#define NESTLING_VMM_DEVICES_BALLOON_H

#include "vmm/devices/virtio.h"

/* 5.5.6.3.1 "Memory Statistics Tags" */
enum balloon_statistic { BALLOON_FREE = 4, BALLOON_TOTAL = 5, BALLOON_AVAILABLE = 6, BALLOON_CACHES = 7, BALLOON_STATISTICS = 10 };

struct balloon {
	struct virtio virtio;
	uint64_t reported; /* bytes that were freed because the guest has reported free pages, */
	uint64_t inflated; /* and because it has put pages into the balloon */
	bool asks;         /* the driver has given a buffer for statistics, the chain `asked`, that was not given back */
	uint16_t asked;
	bool told; /* `statistic` has what it said last: bytes, or numbers; UINT64_MAX: not that */
	uint64_t statistic[BALLOON_STATISTICS];
};

void balloon_init(struct balloon *balloon, uint64_t base, unsigned line);

/* Ask the driver for its statistics; they are there some time later. Takes the lock of the device's table. */
void balloon_ask(struct balloon *balloon);

/* What the guest said last of its memory; false: nothing yet. Without the lock: they may be of two times. */
static inline bool balloon_statistic(const struct balloon *balloon, enum balloon_statistic which, uint64_t *value)
{
	*value = __atomic_load_n(&balloon->statistic[which], __ATOMIC_RELAXED);
	return __atomic_load_n(&balloon->told, __ATOMIC_ACQUIRE) && *value != UINT64_MAX;
}

#endif
