/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that fuzzes a virtio device: registers of any size and anywhere, queues and chains that are hardly any, and memory that
 * changes between two pieces of work. A target has the device, and checks what is its alone.
 */
#ifndef NESTLING_TESTS_FUZZ_VIRTIO_H
#define NESTLING_TESTS_FUZZ_VIRTIO_H

#include "tests/fuzz/guest.h"
#include "vmm/devices/virtio.h"

#define FUZZ_RAM_AT   MIB(1)
#define FUZZ_RAM_SIZE KIB(256)
#define FUZZ_BASE     0xa000000 /* where the device is to be, */
#define FUZZ_LINE     7         /* and the line it is to drive */

struct fuzz_virtio {
	struct virtio *virtio;
	unsigned queues;
	uint64_t features;   /* that the driver may accept besides VIRTIO_F_VERSION_1 */
	unsigned work_max;   /* pieces that one notification may take */
	void (*check)(void); /* after each step and each piece; NULL: nothing */
};

extern struct vm *fuzz_vm;

/* Make the machine, with the device in it, and do what the bytes say until they are spent. `more`, or NULL, is a step of the
 * target. */
void fuzz_virtio_run(const struct fuzz_virtio *fuzz, struct host_rng *rng, void (*more)(struct host_rng *rng));

#endif
