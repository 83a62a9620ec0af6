/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces beside a model of them: for each an array with one element a page, and a copy of every byte. Steps are drawn
 * from a generator, which may be random numbers or the input of a fuzzer; some are taken with next to no memory left.
 *
 * A guest has two vCPUs, each with a view. Some faults of one come in the midst of what is done by the other: when pages are
 * cleared, or when the CPUs are to be flushed. One that would have to wait there for a lock is given up, and comes again later.
 *
 * The model knows what guests must find and what they may do, not how a policy brings that about: whether a page has memory
 * yet it asks the tables, and checks that what has none holds zeros.
 */
#ifndef NESTLING_TESTS_HOST_SPACE_MODEL_H
#define NESTLING_TESTS_HOST_SPACE_MODEL_H

#include "tests/host/space.h"

/* All that happens, happens here: around a border of all levels. */
#define SPACE_MODEL_SIZE   MIB(8)
#define SPACE_MODEL_WINDOW (GIB(1) - SPACE_MODEL_SIZE / 2)
#define SPACE_MODEL_SPACES 4

enum model_operation {
	MODEL_MAP_LINEAR,
	MODEL_MAP_LAZY,
	MODEL_MAP_POPULATE,
	MODEL_UNMAP,
	MODEL_PROTECT,
	MODEL_FAULT,
	MODEL_READ,
	MODEL_WRITE,
	MODEL_GUEST,
	MODEL_SWEEP,
	MODEL_LIMIT,
	MODEL_DISCARD,
	MODEL_SET_POLICY,
	MODEL_SCAN_ACCESSED,
	MODEL_DIRTY_LOG,
	MODEL_FORK,
	MODEL_END,
	MODEL_OPERATIONS
};

enum model_kind { HOLE, LINEAR, ALLOC };

struct model_page {
	uint8_t kind, prot;
	uint8_t policy;       /* ALLOC */
	bool promised;        /* populated, and not discarded since: it has memory */
	bool sparse;          /* of 4 KiB policy ever since: without a write it has none */
	bool written;         /* since it was mapped or discarded */
	bool dirty, accessed; /* the log, or the scan, has not told yet */
	uint64_t hpa;         /* LINEAR */
};

/* One space, and what it must be. */
struct model_space {
	struct space *s;
	struct addr_space_view second; /* of a second vCPU */
	struct model_page pages[SPACE_MODEL_SIZE / PAGE_SIZE];
	uint8_t bytes[SPACE_MODEL_SIZE]; /* what the guest must find in ALLOC pages */
	uint64_t faults[FAULT_OUTCOMES]; /* that were raised here */
};

struct space_model {
	struct model_space *all[SPACE_MODEL_SPACES]; /* the first is the machine's own */
	unsigned count;
	struct model_space *now; /* the one that this step is about */
	struct model_meanwhile {
		bool armed;                   /* it is to come in this step */
		bool met;                     /* it has come, and did not have to wait */
		struct addr_space_view *view; /* of the vCPU that faults while pages are cleared or CPUs flushed */
		uint64_t gpa;
		unsigned access;
	} meanwhile;
	struct host_rng rng;
	uint64_t linear;                 /* hpa of the memory that LINEAR pages show */
	uint64_t free_frames;            /* before the step */
	unsigned done[MODEL_OPERATIONS]; /* how often each operation came off */
	unsigned no_memory;              /* how often one did not, for want of memory */
	uint64_t shared_tables;          /* that were found by space_model_check, in all */
	unsigned met, waited;            /* faults in the midst of an operation: served; that had to wait */
};

/* `ram` bytes of memory are there in all, of which linear areas show 4 MiB. */
struct space_model *space_model_new(const struct format_case *format, uint64_t ram, struct host_rng rng);
void space_model_free(struct space_model *m);

/* Draw one operation, do it to both, and compare what it answers, the counters and a few pages. */
void space_model_step(struct space_model *m);
/* Compare everything. */
void space_model_check(struct space_model *m);

#endif
