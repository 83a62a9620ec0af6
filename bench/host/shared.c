/* SPDX-License-Identifier: BSD-2-Clause */
/* See bench/host/bench.h. */
#include "bench/host/bench.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "include/panic.h"
#include "mm/frame.h"

#define ARENA_PHYS GIB(256)
#define ARENA_SIZE MIB(384)

const struct format formats[FORMATS] = {
	{ "ept",
	  &npt_ept,
	  { .levels = 4, .gpa_bits = 46, .hpa_bits = 48, .max_leaf = 2, .hardware_ad = true, .page_memtypes = true } },
	{ "npt",
	  &npt_amd,
	  { .levels = 4, .gpa_bits = 46, .hpa_bits = 48, .max_leaf = 2, .hardware_ad = true, .page_memtypes = true } },
	{ "stage2",
	  &npt_stage2,
	  { .levels = 4, .gpa_bits = 46, .hpa_bits = 48, .max_leaf = 2, .hardware_ad = true, .page_memtypes = true } },
	{ "sv48x4",
	  &npt_riscv_x4,
	  { .levels = 4, .gpa_bits = 50, .hpa_bits = 56, .max_leaf = 2, .hardware_ad = true, .page_memtypes = true } },
};

uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

unsigned bench_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	(void)as;
	(void)gpa;
	(void)size;
	return 1;
}

void bench_start_frames(void)
{
	char *arena = mmap(NULL, ARENA_SIZE + MIB(2), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct ram_range range = { HPA(ARENA_PHYS), ARENA_SIZE };
	uint64_t virt = align_up((uintptr_t)arena, MIB(2));
	void *records;

	if (arena == MAP_FAILED)
		panic("bench: no memory");
	records = calloc(1, frame_records_size(&range, 1));
	must(frame_init(&range, 1, HPA((uintptr_t)records - (virt - ARENA_PHYS)), virt - ARENA_PHYS));
	must(frame_add(range));
}
