/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An address space beside a model of it: an array with one element a page, and a copy of every byte. Steps are drawn from a
 * generator, which may be random numbers or the input of a fuzzer; some are taken with next to no memory left.
 */
#ifndef NESTLING_TESTS_HOST_SPACE_MODEL_H
#define NESTLING_TESTS_HOST_SPACE_MODEL_H

#include "tests/host/space.h"

/* All that happens, happens here: around a border of all levels. */
#define SPACE_MODEL_SIZE   MIB(12)
#define SPACE_MODEL_WINDOW (GIB(1) - SPACE_MODEL_SIZE / 2)
/* Operations that are counted in `done`. */
#define SPACE_MODEL_OPERATIONS 10

enum model_kind { HOLE, LINEAR, LAZY, POPULATED };

struct model_page {
	uint8_t kind, prot;
	bool backed;
	uint64_t hpa; /* LINEAR only */
};

struct space_model {
	struct space *s;
	struct host_rng rng;
	struct model_page pages[SPACE_MODEL_SIZE / PAGE_SIZE];
	uint8_t bytes[SPACE_MODEL_SIZE]; /* what the guest must find in LAZY and POPULATED pages */
	uint64_t linear;                 /* hpa of the memory that LINEAR pages show */
	uint64_t backed, peak;
	uint64_t faults[FAULT_OUTCOMES], by_host;
	bool starved;
	unsigned done[16];               /* how often each operation came off */
};

/* `ram` bytes of memory are there in all, of which linear areas show 4 MiB. */
struct space_model *space_model_new(const struct format_case *format, uint64_t ram, struct host_rng rng);
void space_model_free(struct space_model *m);

/* Draw one operation, do it to both, and compare what it answers, the counters and a few pages. */
void space_model_step(struct space_model *m);
/* Compare everything. */
void space_model_check(struct space_model *m);

#endif
