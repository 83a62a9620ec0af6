/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The RAM of a VM, divided into at most BLOCKS_MAX blocks, and what each of them is backed by: for the picture on the screen and
 * the map on the console.
 */
#ifndef NESTLING_VMM_BLOCKS_H
#define NESTLING_VMM_BLOCKS_H

#include "mm/addr_space.h"

struct vm;

#define BLOCKS_MAX 4096

/* How a block is shown: by what backs most of its memory, or, for 4 KiB pages, by how many of them there are. */
enum block_look {
	LOOK_NOTHING,
	LOOK_DISCARDED, /* nothing, but the guest has given something back here */
	LOOK_ZEROS,
	LOOK_SHARED,
	LOOK_LARGE,
	LOOK_PAGES, /* and from here on, ten shades: the last one is full */
	LOOK_SHADES = 10,
	LOOKS = LOOK_PAGES + LOOK_SHADES,
};

/* "nothing", "zero page": for legends. All shades have one name. */
extern const char *const look_names[LOOK_PAGES + 1];

struct blocks {
	unsigned shift; /* a block is 1 << shift bytes: 2 MiB; less where RAM is small, more where there would be too many */
	unsigned count;
	uint64_t discarded[BLOCKS_MAX / 64]; /* atomic words, a bit for each block: the guest has given something back there */
};

/* Divide the RAM of a VM, which has been laid out, into vm->blocks. */
void blocks_start(struct vm *vm);

/* The memory of a block; the last one of a range of RAM may be smaller than the others. */
void block_range(const struct vm *vm, unsigned block, gpa_t *gpa, uint64_t *size);

/* The block after the last one of the range of RAM that `block` is in. */
unsigned blocks_piece_end(const struct vm *vm, unsigned block);

/* The block that an address is in; vm->blocks.count: none. */
unsigned block_at(const struct vm *vm, gpa_t gpa);

/* The guest has given back what was there. */
void blocks_discarded(struct vm *vm, gpa_t gpa, uint64_t size);
bool block_was_discarded(const struct vm *vm, unsigned block);

/*
 * Add what a block is backed by to `survey`, which begins as { .next = gpa of the block }, until it is complete or `leaves` are
 * used up. True: it is complete.
 */
bool block_survey(struct vm *vm, unsigned block, unsigned *leaves, struct addr_space_survey *survey);

/* How are `size` bytes that are backed like this shown? */
enum block_look block_look(const struct addr_space_survey *survey, uint64_t size, bool discarded);

#endif
