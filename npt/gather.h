/* SPDX-License-Identifier: BSD-2-Clause */
/* Gathering: translations that removals and narrowings make stale are collected, and flushed once. */
#ifndef NESTLING_NPT_GATHER_H
#define NESTLING_NPT_GATHER_H

#include "include/types.h"

/* As the size of a flush: the whole address space. */
#define NPT_FLUSH_ALL       UINT64_MAX
/* Up to this many bytes a gathered flush goes by range, beyond it by address space. */
#define NPT_FLUSH_RANGE_MAX KIB(64)

/* So many are kept in mind before they are flushed. */
#define NPT_GATHER_LEFT 8

struct npt;

/*
 * Collects the stale translations of several removals and narrowings, flushes once, and then frees the tables that have become
 * empty. Lives on the caller's stack from npt_gather_init to npt_gather_finish.
 */
struct npt_gather {
	struct npt *npt;
	uint64_t start, end; /* the smallest range that holds all changes; start >= end: nothing was changed */
	hpa_t tables;        /* chain of emptied tables; raw 0: none */
	/* Shared tables that the space has no longer, to be left after the flush; bit 0: the space pays for it. */
	unsigned left_count;
	uint64_t left[NPT_GATHER_LEFT];
	uint64_t left_sum; /* number of all that were left so far */
	/*
	 * Called for the leaves that npt_unmap removes, before the flush, `count` leaves at a time that are contiguous in both
	 * address spaces. CPUs may still use the memory until npt_gather_finish. May be NULL.
	 */
	void (*leaves_gone)(struct npt_gather *gather, hpa_t hpa, unsigned level, uint64_t count);
};

void npt_gather_init(struct npt_gather *gather, struct npt *npt);

/* The translations of [start, end) must be flushed; nothing, when start >= end. */
void npt_gather_range(struct npt_gather *gather, uint64_t start, uint64_t end);

/* Flush what was gathered so far, if anything was. Emptied tables stay. */
void npt_gather_flush(struct npt_gather *gather);

/* Flush once if anything was gathered, then free the emptied tables. After it no CPU uses what was removed. */
void npt_gather_finish(struct npt_gather *gather);

#endif
