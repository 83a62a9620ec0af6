/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an address space costs on the host: the real mm/ and npt/, compiled as in the image, over an arena of this process.
 *
 *   bench [REPETITIONS [FORMAT]]
 *       a line for each case and format: FORMAT<tab>CASE<tab>OPERATIONS<tab>nanoseconds of the best repetition
 *   bench threads [ROUNDS]
 *       vCPUs that fault at once: bench/host/threads.c
 *
 * Under callgrind each case is run once, and its instructions are dumped under the name "FORMAT/CASE".
 *
 * Frames come from an arena of 384 MiB, touched before. Each repetition has a fresh space of 2^46 bytes (RISC-V: 2^50) with
 * everything permitted, from BASE on. Setting up and freeing are not timed.
 */
#include "bench/host/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#define FAULTED      MIB(256)
#define PAGES        (FAULTED / PAGE_SIZE)
#define ROUNDS       16 /* of translations over all PAGES; under callgrind one will do */
#define TRANSLATIONS (ROUNDS * PAGES)
#define PAIRS        10000

static struct addr_space space, child;
static uint32_t permutation[PAGES];
static uint64_t translations = TRANSLATIONS;
static volatile uint64_t sink; /* keeps the compiler from leaving translations out */

/* --- Addresses ------------------------------------------------------------------------------------------------------ */

static void permute(void)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	for (uint32_t i = 0; i < PAGES; i++)
		permutation[i] = i;
	for (uint32_t i = PAGES - 1; i > 0; i--) {
		uint32_t j, old = permutation[i];

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (uint32_t)(x % (i + 1));
		permutation[i] = permutation[j];
		permutation[j] = old;
	}
}

static gpa_t sequential(uint64_t i)
{
	return GPA(BASE + i % PAGES * PAGE_SIZE);
}

static gpa_t shuffled(uint64_t i)
{
	uint64_t page = permutation[i % PAGES];

	return GPA(BASE + page * PAGE_SIZE + (page * 8 & (PAGE_SIZE - 1)));
}

/* --- What is set up before the clock runs ------------------------------------------------------------------------------ */

static const struct npt_attr rwx = { .prot = NPT_R | NPT_W | NPT_X, .memtype = NPT_WB };

static void linear_at(uint64_t gpa, uint64_t hpa, uint64_t size)
{
	must(addr_space_map_linear(&space, GPA(gpa), HPA(hpa), size, rwx));
}

static void linear(uint64_t size, uint64_t hpa)
{
	linear_at(BASE, hpa, size);
}

static void lazy(uint64_t gpa, uint64_t size)
{
	must(addr_space_map_alloc(&space, GPA(gpa), size, NPT_R | NPT_W | NPT_X, ALLOC_LAZY_4K));
}

/* `count` areas that together are FAULTED bytes; neighbours differ, so that they stay apart. */
static void lazy_areas(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		must(addr_space_map_alloc(&space, GPA(BASE + i * (FAULTED / count)), FAULTED / count,
					  i % 2 ? NPT_R | NPT_W | NPT_X : NPT_R | NPT_W, ALLOC_LAZY_4K));
}

static void fault(gpa_t gpa, unsigned access, enum fault_outcome outcome)
{
	const struct npt_fault npt_fault = { .gpa = gpa, .access = (uint8_t)access };

	if (addr_space_handle_fault(&space.view, &npt_fault) != outcome)
		panic("bench: a fault at %#lx has another outcome", gpa.raw);
}

static void set_nothing(void)
{
}

/* Addresses of physical memory off by a page have 4 KiB leaves only. */
static void set_linear_4k_1g(void)
{
	linear(GIB(1), 0x80001000);
}

static void set_linear_4k(void)
{
	linear(FAULTED, 0x80001000);
}

static void set_linear_2m(void)
{
	linear(GIB(1), 0x80200000);
}

static void set_linear_1g(void)
{
	linear(GIB(64), 0x80000000);
}

static void set_lazy(void)
{
	lazy(BASE, FAULTED);
}

static void set_lazy_64(void)
{
	lazy_areas(64);
}

static void set_lazy_4096(void)
{
	lazy_areas(4096);
}

/* A sequence of pages under a policy that brings more along: which of them fault is found out by doing it once. */
static uint32_t faulting[PAGES];
static uint64_t faulting_count;

static void set_sequence(enum alloc_policy policy)
{
	must(addr_space_map_alloc(&space, GPA(BASE), FAULTED, NPT_R | NPT_W | NPT_X, policy));
	faulting_count = 0;
	for (uint64_t i = 0; i < PAGES; i++) {
		hpa_t hpa;

		if (addr_space_translate(&space, sequential(i), &hpa) == ERR_OK)
			continue;
		fault(sequential(i), NPT_W, FAULT_HANDLED);
		faulting[faulting_count++] = (uint32_t)i;
	}
	addr_space_clear(&space);
	must(addr_space_map_alloc(&space, GPA(BASE), FAULTED, NPT_R | NPT_W | NPT_X, policy));
}

static void set_sequence_64k(void)
{
	set_sequence(ALLOC_LAZY_64K);
}

static void set_sequence_auto(void)
{
	set_sequence(ALLOC_LAZY_AUTO);
}

static void set_small_leaves(void)
{
	space.npt.config.max_leaf = 0;
}

static void set_populated(void)
{
	set_small_leaves();
	must(addr_space_map_alloc(&space, GPA(BASE), FAULTED, NPT_R | NPT_W | NPT_X, ALLOC_POPULATE));
}

static void set_read(void)
{
	set_lazy();
	for (uint64_t i = 0; i < PAGES; i++)
		fault(sequential(i), NPT_R, FAULT_HANDLED);
}

/* 64 MiB, so that there is room for copies. */
#define FORKED_PAGES (MIB(64) / PAGE_SIZE)

static void set_written(void)
{
	set_lazy();
	for (uint64_t i = 0; i < FORKED_PAGES; i++)
		fault(sequential(i), NPT_W, FAULT_HANDLED);
}

static void set_forked(void)
{
	set_written();
	must(addr_space_fork(&space, &child));
}

static void set_others(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		lazy(BASE + i * MIB(8), MIB(4));
}

static void set_other(void)
{
	set_others(1);
	linear_at(BASE + MIB(5), 0x90001000, PAGE_SIZE);
}

static void set_others_64(void)
{
	set_others(64);
	linear_at(BASE + MIB(5), 0x90001000, PAGE_SIZE);
}

static void set_others_4096(void)
{
	set_others(4096);
	linear_at(BASE + MIB(5), 0x90001000, PAGE_SIZE);
}

/* --- What is timed ---------------------------------------------------------------------------------------------------- */

static void map_4k(void)
{
	linear(GIB(1), 0x80001000);
}

static void map_2m(void)
{
	linear(GIB(1), 0x80200000);
}

static void map_1g(void)
{
	linear(GIB(64), 0x80000000);
}

static void unmap_1g(void)
{
	must(addr_space_unmap(&space, GPA(BASE), GIB(1)));
}

static void unmap_64g(void)
{
	must(addr_space_unmap(&space, GPA(BASE), GIB(64)));
}

static void unmap_faulted(void)
{
	must(addr_space_unmap(&space, GPA(BASE), FAULTED));
}

static void populate(void)
{
	must(addr_space_map_alloc(&space, GPA(BASE), FAULTED, NPT_R | NPT_W | NPT_X, ALLOC_POPULATE));
}

static void lazy_1g(void)
{
	lazy(BASE, GIB(1));
}

static void lazy_1t(void)
{
	lazy(BASE, TIB(1));
}

static void fault_sequential(void)
{
	for (uint64_t i = 0; i < PAGES; i++)
		fault(sequential(i), NPT_W, FAULT_HANDLED);
}

static void fault_random(void)
{
	for (uint64_t i = 0; i < PAGES; i++)
		fault(shuffled(i), NPT_W, FAULT_HANDLED);
}

static void fault_sequence(void)
{
	for (uint64_t i = 0; i < faulting_count; i++)
		fault(sequential(faulting[i]), NPT_W, FAULT_HANDLED);
}

static void fault_zero(void)
{
	for (uint64_t i = 0; i < PAGES; i++)
		fault(sequential(i), NPT_R, FAULT_HANDLED);
}

static void fault_spurious(void)
{
	for (uint64_t i = 0; i < PAGES; i++)
		fault(sequential(i), NPT_W, FAULT_SPURIOUS);
}

static void fault_forked(void)
{
	for (uint64_t i = 0; i < FORKED_PAGES; i++)
		fault(sequential(i), NPT_W, FAULT_HANDLED);
}

static void fork_space(void)
{
	must(addr_space_fork(&space, &child));
}

static void translate_sequential(void)
{
	hpa_t hpa;

	for (uint64_t i = 0; i < translations; i++) {
		must(addr_space_translate(&space, sequential(i), &hpa));
		sink = hpa.raw;
	}
}

static void translate_random(void)
{
	hpa_t hpa;

	for (uint64_t i = 0; i < translations; i++) {
		must(addr_space_translate(&space, shuffled(i), &hpa));
		sink = hpa.raw;
	}
}

static void translate_and_limit(void)
{
	uint64_t limit;
	hpa_t hpa;

	for (uint64_t i = 0; i < translations; i++) {
		must(addr_space_translate_and_limit(&space, shuffled(i), PAGE_SIZE, &hpa, &limit));
		sink = hpa.raw + limit;
	}
}

static void protect(void)
{
	must(addr_space_protect(&space, GPA(BASE), FAULTED, NPT_R));
}

static void discard(void)
{
	must(addr_space_discard(&space, GPA(BASE), FORKED_PAGES * PAGE_SIZE));
}

/* A report of free pages, as Linux' balloon driver makes them: the access to the device's register, and all that comes of it. */
static void set_report_4k(void)
{
	set_written();
	bench_report_set_up(&space);
}

static void set_report_2m(void)
{
	set_lazy();
	must(addr_space_set_policy(&space, GPA(BASE), REPORTED * MIB(2), ALLOC_LAZY_2M));
	for (uint64_t i = 0; i < REPORTED; i++)
		fault(GPA(BASE + i * MIB(2)), NPT_W, FAULT_HANDLED);
	bench_report_set_up(&space);
}

/* Requests to a disk, as Linux' driver makes them, into pages that the guest has. */
static void set_disk_read(void)
{
	set_lazy();
	bench_disk_set_up(&space, false, 0);
}

static void set_disk_read_apart(void)
{
	set_lazy();
	bench_disk_set_up(&space, false, 64);
}

static void set_disk_write(void)
{
	set_lazy();
	bench_disk_set_up(&space, true, 0);
}

/* A page where no table is yet, so that three are made and freed. */
static void map_unmap_far_page(void)
{
	const gpa_t page = GPA(BASE + GIB(2));

	for (uint64_t i = 0; i < PAIRS; i++) {
		must(addr_space_map_linear(&space, page, HPA(0x80001000), PAGE_SIZE, rwx));
		must(addr_space_unmap(&space, page, PAGE_SIZE));
	}
}

/* A page beside another, in the same tables. */
static void map_unmap_page(void)
{
	const gpa_t page = GPA(BASE + MIB(4));

	for (uint64_t i = 0; i < PAIRS; i++) {
		must(addr_space_map_linear(&space, page, HPA(0x80001000), PAGE_SIZE, rwx));
		must(addr_space_unmap(&space, page, PAGE_SIZE));
	}
}

/* --- Running ---------------------------------------------------------------------------------------------------------- */

static const struct bench {
	const char *name;
	uint64_t operations;
	void (*set_up)(void);
	void (*run)(void);
} benches[] = {
	{ "map 1 GiB, 4 KiB leaves", GIB(1) / PAGE_SIZE, set_nothing, map_4k },
	{ "unmap 1 GiB, 4 KiB leaves", GIB(1) / PAGE_SIZE, set_linear_4k_1g, unmap_1g },
	{ "map 1 GiB, 2 MiB leaves", GIB(1) / MIB(2), set_nothing, map_2m },
	{ "unmap 1 GiB, 2 MiB leaves", GIB(1) / MIB(2), set_linear_2m, unmap_1g },
	{ "map 64 GiB, 1 GiB leaves", 64, set_nothing, map_1g },
	{ "unmap 64 GiB, 1 GiB leaves", 64, set_linear_1g, unmap_64g },
	{ "populate 256 MiB, 4 KiB leaves", PAGES, set_small_leaves, populate },
	{ "unmap 256 MiB, populated", PAGES, set_populated, unmap_faulted },
	{ "populate 256 MiB, large leaves", FAULTED / MIB(2), set_nothing, populate },
	{ "lazy area of 1 GiB", 1, set_nothing, lazy_1g },
	{ "lazy area of 1 TiB", 1, set_nothing, lazy_1t },
	{ "fault, sequential", PAGES, set_lazy, fault_sequential },
	{ "fault, random", PAGES, set_lazy, fault_random },
	{ "fault, random, 64 areas", PAGES, set_lazy_64, fault_random },
	{ "fault, random, 4096 areas", PAGES, set_lazy_4096, fault_random },
	{ "a page in a row, by 64 KiB", PAGES, set_sequence_64k, fault_sequence },
	{ "a page in a row, auto", PAGES, set_sequence_auto, fault_sequence },
	{ "fault, read", PAGES, set_lazy, fault_zero },
	{ "fault, write after read", PAGES, set_read, fault_sequential },
	{ "fault, spurious", PAGES, set_linear_4k, fault_spurious },
	{ "translate, sequential", TRANSLATIONS, set_linear_4k, translate_sequential },
	{ "translate, random", TRANSLATIONS, set_linear_4k, translate_random },
	{ "translate, random, 2 MiB leaves", TRANSLATIONS, set_linear_2m, translate_random },
	{ "translate, random, 1 GiB leaves", TRANSLATIONS, set_linear_1g, translate_random },
	{ "translate and limit, random", TRANSLATIONS, set_linear_4k, translate_and_limit },
	{ "protect 256 MiB, 4 KiB leaves", PAGES, set_linear_4k, protect },
	{ "map and unmap a page, 1 other area", PAIRS, set_other, map_unmap_page },
	{ "map and unmap a page, 64 others", PAIRS, set_others_64, map_unmap_page },
	{ "map and unmap a page, 4096 others", PAIRS, set_others_4096, map_unmap_page },
	{ "map and unmap a page, with its tables", PAIRS, set_other, map_unmap_far_page },
	{ "discard 64 MiB, 4 KiB leaves", FORKED_PAGES, set_written, discard },
	{ "report of 32 blocks, 4 KiB leaves", REPORTED, set_report_4k, bench_report },
	{ "report of 32 blocks, large leaves", REPORTED, set_report_2m, bench_report },
	{ "disk, 4 KiB read, mapped", BENCH_REQUESTS, set_disk_read, bench_disk },
	{ "disk, 4 KiB read, copied", BENCH_REQUESTS, set_disk_read_apart, bench_disk },
	{ "disk, 4 KiB written", BENCH_REQUESTS, set_disk_write, bench_disk },
	/* Last, since it is in another order that frames are free after them. */
	{ "fork 64 MiB, 4 KiB leaves", FORKED_PAGES, set_written, fork_space },
	{ "fault, copy after fork", FORKED_PAGES, set_forked, fault_forked },
};

/* Once from a fresh space; what it took. */
static uint64_t run_once(const struct format *format, const struct bench *bench)
{
	uint64_t free_before = frame_get_stats().free, time;

	must(addr_space_new(&space, format->ops, &format->config, bench_flush));
	memset(&child, 0, sizeof(child));
	bench->set_up();
	time = bench_now();
	CALLGRIND_START_INSTRUMENTATION;
	bench->run();
	CALLGRIND_STOP_INSTRUMENTATION;
	time = bench_now() - time;
	if (child.npt.ops)
		addr_space_free(&child);
	addr_space_free(&space);
	/* The zero pages stay, once they are there; nothing else does. */
	if (free_before - frame_get_stats().free > MIB(4))
		panic("bench: %s leaks", bench->name);
	return time;
}

static uint64_t best_of(const struct format *format, const struct bench *bench, unsigned repetitions)
{
	uint64_t best = UINT64_MAX;

	while (repetitions-- > 0)
		best = min_u64(best, run_once(format, bench));
	return best;
}

static int run_all(unsigned repetitions, const char *only)
{
	permute();
	if (RUNNING_ON_VALGRIND)
		translations = PAGES;
	for (size_t f = 0; f < FORMATS; f++) {
		if (only && strcmp(only, formats[f].name) != 0)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(benches); i++) {
			const struct bench *bench = &benches[i];
			char name[96];
			uint64_t time = best_of(&formats[f], bench, RUNNING_ON_VALGRIND ? 1 : repetitions);

			snprintf(name, sizeof(name), "%s/%s", formats[f].name, bench->name);
			CALLGRIND_DUMP_STATS_AT(name);
			CALLGRIND_ZERO_STATS;
			printf("%s\t%s\t%lu\t%lu\n", formats[f].name, bench->name, bench->operations, time);
			fflush(stdout);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	bench_start_frames();
	if (argc > 1 && strcmp(argv[1], "threads") == 0)
		return bench_threads(argc > 2 ? (unsigned)atoi(argv[2]) : 1000);
	return run_all(argc > 1 ? (unsigned)atoi(argv[1]) : 7, argc > 2 ? argv[2] : NULL);
}
