/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame allocator over an arena: the machine's RAM, as dirty as firmware left it, and as full as a test wants. */
#ifndef NESTLING_TESTS_HOST_RAM_H
#define NESTLING_TESTS_HOST_RAM_H

#include "mm/frame.h"
#include "tests/host/host.h"

#define RAM_MAX_HOGS 4096

struct ram {
	struct arena arena;
	uint64_t usable; /* bytes handed to the allocator */
	struct {
		hpa_t frame;
		unsigned order;
	} hogs[RAM_MAX_HOGS];
	size_t hog_count;
};

/* Start the allocator afresh on `size` bytes at `phys`, all of them filled with rubbish when `dirty`. */
void ram_open(struct ram *ram, uint64_t phys, uint64_t size, bool dirty);
/* Fails when anything is still allocated. */
void ram_close(struct ram *ram);

/* Let only `frames` frames be free: the rest is taken until ram_release. */
void ram_leave(struct ram *ram, uint64_t frames);
/* Take all that can be had, frame by frame; what spaces hold for faults to come cannot. */
void ram_take_all(struct ram *ram);
/* Let only `blocks` blocks of this order be free, no two of which join. */
void ram_scatter(struct ram *ram, unsigned order, uint64_t blocks);
void ram_release(struct ram *ram);

uint64_t ram_free_bytes(void);

/* A block that must be there, and aligned: its physical address. */
uint64_t ram_alloc(unsigned order);
/* Has everything in it come back, so that it can be had as one block again? Single frames join only when they must. */
void ram_check_whole(uint64_t block, unsigned order);

#endif
