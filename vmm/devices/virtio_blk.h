/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio disk. What is on it is memory of the guest's address space, in an area that is no RAM (the disk's window), so that it is
 * shared, written copy-on-write, forked, given back and accounted for as all memory of the guest is: docs/architecture.md.
 * Source: VIRTIO 1.2, 5.2 "Block Device".
 */
#ifndef NESTLING_VMM_DEVICES_VIRTIO_BLK_H
#define NESTLING_VMM_DEVICES_VIRTIO_BLK_H

#include "mm/addr_space.h"
#include "vmm/devices/virtio.h"

#define VIRTIO_BLK_SECTOR   512u
#define VIRTIO_BLK_ID_BYTES 20

/* 5.2.6 "Device Operation": what a request begins with. */
struct virtio_blk_header {
	uint32_t type, reserved;
	uint64_t sector;
};

/* One piece of disk that is to be discarded or zeroed. */
struct virtio_blk_segment {
	uint64_t sector;
	uint32_t sectors, flags;
};

struct virtio_blk {
	struct virtio virtio;
	gpa_t window;  /* where the disk's first byte is, at a multiple of 4 KiB */
	uint64_t size; /* bytes, a multiple of VIRTIO_BLK_SECTOR; the window's is rounded up to pages */
	bool read_only;
	char id[VIRTIO_BLK_ID_BYTES];

	/* The request in hand, as far as it has come. */
	struct virtio_blk_header header;
	struct virtio_blk_segment segment;
	uint8_t header_bytes, segment_bytes; /* that are there */
	uint8_t status;                      /* VIRTIO_BLK_S_* */
	uint64_t at;                         /* where on the disk its next byte is read or written; of GET_ID in `id` */
	uint32_t written;                    /* bytes of its writable buffers */
	struct addr_space_range to_clear;    /* what is left of the last segment */
	uint32_t moved;                      /* bytes since a piece of work has ended, of all requests */
};

/* `name` is cut to what an id has room for. */
void virtio_blk_init(struct virtio_blk *disk, gpa_t window, uint64_t size, bool read_only, const char *name, uint64_t base,
		     unsigned line);

#endif
