/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio entropy device: random numbers for the guest. Source: VIRTIO 1.2, 5.4 "Entropy Device". */
#ifndef NESTLING_VMM_DEVICES_VIRTIO_RNG_H
#define NESTLING_VMM_DEVICES_VIRTIO_RNG_H

#include "vmm/devices/virtio.h"

/* So many bytes a chain gets at most: the device may give less than there is room for (5.4.6.2). */
#define VIRTIO_RNG_MOST KIB(64)

struct virtio_rng {
	struct virtio virtio;
	uint32_t given; /* bytes, into the chain in hand */
	bool told;      /* that the numbers have no source but time, if it is so */
};

void virtio_rng_init(struct virtio_rng *rng, uint64_t base, unsigned line);

#endif
