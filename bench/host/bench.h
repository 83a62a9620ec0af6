/* SPDX-License-Identifier: BSD-2-Clause */
/* What the host's benchmarks share: frames, formats, a clock. */
#ifndef NESTLING_BENCH_HOST_BENCH_H
#define NESTLING_BENCH_HOST_BENCH_H

#include "include/panic.h"
#include "mm/addr_space.h"

#define BASE UINT64_C(0x40000000) /* gpa from which on things are mapped */

struct format {
	const char *name;
	const struct npt_ops *ops;
	struct npt_config config;
};

#define FORMATS 4
extern const struct format formats[FORMATS];

/* Give the frame allocator an arena of 384 MiB, touched before. */
void bench_start_frames(void);
/* Nanoseconds. */
uint64_t bench_now(void);
/* An addr_space_flush without CPUs. */
unsigned bench_flush(struct addr_space *as, gpa_t gpa, uint64_t size);

static inline void must(enum err err)
{
	if (err != ERR_OK)
		panic("bench: %d", (int)err);
}

/*
 * A balloon for the space, whose guest is about to report REPORTED blocks of 2 MiB from BASE on, and that report. Its queue lies
 * behind them, in the space's lazy area.
 */
#define REPORTED 32
void bench_report_set_up(struct addr_space *space);
void bench_report(void);

/*
 * A disk for the space, whose guest is about to make BENCH_REQUESTS requests of 4 KiB, to read or to write; and these, one after
 * the other, each with the device's registers that Linux' driver uses. The data lies `offset` bytes behind the beginning of a page.
 */
#define BENCH_REQUESTS 32
void bench_disk_set_up(struct addr_space *space, bool write, uint64_t offset);
void bench_disk(void);

/* Faults per second of one vCPU and of two at once, as the best of `rounds`: see bench/host/threads.c. Returns main's status. */
int bench_threads(unsigned rounds);

#endif
