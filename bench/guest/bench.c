/* SPDX-License-Identifier: BSD-2-Clause */
/* What memory costs, counted from inside: see measure.h. */
#include "bench/guest/measure.h"

enum {
	BLOCKS = 16,         /* of 2 MiB, touched in turn and given back */
	BLOCK_EVENTS = 1024, /* nearly all of which is clearing memory */
	SLICES = 64,         /* spun through; bench/run has them be a millisecond long */
	SLICE = 1000000,     /* instructions */
};

#define BLOCK_SIZE 0x200000ul

/* With less RAM than this, only what comes most often is measured: a call, and a fresh page. */
#define ALL_NEEDS 0x40000000ul

/* Numbers of mark(), those of measure.h apart. */
enum {
	PHASE_HYPERCALL = PHASE_FIRST,
	PHASE_4K,
	PHASE_64K,
	PHASE_2M,
	PHASE_AUTO,
	PHASE_BLOCK,
	PHASE_ZERO_READ,
	PHASE_UNZERO,
	PHASE_DISCARD,
	PHASE_TRACKED,
	PHASE_COPY,
	PHASE_REUSE,
	PHASE_SLICE,
	PHASE_SWITCH,
};

static uint64_t area; /* where the events work; they touch page number i of it */
static uint64_t next_area;

/* --- Memory to work on ---------------------------------------------------------------------------------------------- */

/* Fresh pages for `bytes`, from the last range of RAM; aligned to a block. */
static void take(uint64_t bytes)
{
	const struct rt_range *last = &rt_fresh.range[rt_fresh.count - 1];

	if (!next_area)
		next_area = (last->start + BLOCK_SIZE - 1) & ~(BLOCK_SIZE - 1);
	area = next_area;
	next_area += (bytes + BLOCK_SIZE - 1) & ~(BLOCK_SIZE - 1);
	if (next_area > last->start + last->size) {
		rt_printf("FAILED: not enough memory was promised\n");
		rt_exit(1);
	}
}

static uint64_t page(uint64_t i)
{
	return area + i * RT_PAGE_SIZE;
}

/* --- Results -------------------------------------------------------------------------------------------------------- */

static void print(const char *name, unsigned phase, const struct result *result, uint64_t loop, uint64_t pages)
{
	unsigned events = phase == PHASE_NONE   ? 1 :
			  phase == PHASE_BLOCK  ? BLOCK_EVENTS :
			  phase == PHASE_SWITCH ? 2 * EVENTS :
			  phase == PHASE_SLICE  ? SLICES :
						  EVENTS;
	unsigned profiled = phase >= PHASE_64K && phase <= PHASE_AUTO ? EVENTS :
			    phase == PHASE_SWITCH                     ? 2 * PROFILED :
			    phase == PHASE_SLICE                      ? SLICES :
									PROFILED;

	print_event(name, phase, profiled, events, result, loop, pages);
}

/* --- Events ---------------------------------------------------------------------------------------------------------- */

static void call(uint64_t i)
{
	(void)i;
	rt_hypercall(RT_CALL_VERSION, 0, 0, 0, 0);
}

static void write_page(uint64_t i)
{
	*(volatile uint64_t *)page(i) = i;
}

static void read_page(uint64_t i)
{
	(void)*(volatile uint64_t *)page(i);
}

static void yield(uint64_t i)
{
	(void)i;
	rt_yield();
}

static void discard_page(uint64_t i)
{
	rt_hypercall(RT_CALL_DISCARD, page(i), RT_PAGE_SIZE, 0, 0);
}

/* --- The measurements ---------------------------------------------------------------------------------------------------- */

static void hypercall(void)
{
	struct result result, loop;

	loop = measure(0, EVENTS, nothing);
	result = measure(0, EVENTS, call);
	print("hypercall", PHASE_HYPERCALL, &result, loop.total, 0);
	PROFILE(PHASE_HYPERCALL, 0, call);
}

/*
 * Writes to fresh pages in a row, under a policy; what comes with a neighbour costs no fault. A profiler that needs no telling
 * (watch) sees all of them as `phase`, which is part of an instruction. False: there is no such policy here.
 */
static inline __attribute__((always_inline)) bool sequential(const char *name, enum rt_policy policy, const unsigned phase)
{
	struct result result, loop;

	take((EVENTS + PROFILED) * RT_PAGE_SIZE);
	if (rt_hypercall(RT_CALL_SET_POLICY, area, (EVENTS + PROFILED) * RT_PAGE_SIZE, policy, 0) != 0 && policy != RT_POLICY_4K)
		return false;
	mark(phase == PHASE_4K ? PHASE_IDLE : phase);
	result = measure(0, EVENTS, write_page);
	mark(PHASE_IDLE);
	loop = measure(0, EVENTS, write_page);
	print(name, phase, &result, loop.total, EVENTS);
	return true;
}

/* The first write to each of BLOCKS blocks, which are given back together then. Their loop is that of `nothing`. */
static void blocks(void)
{
	struct result sum = { 0 }, loop = measure(0, BLOCK_EVENTS, nothing);

	take(BLOCKS * BLOCK_SIZE);
	if (rt_hypercall(RT_CALL_SET_POLICY, area, BLOCKS * BLOCK_SIZE, RT_POLICY_2M, 0) != 0)
		return;
	for (uint64_t round = 0; round < BLOCK_EVENTS; round++) {
		uint64_t faults, before;

		if (round % BLOCKS == 0)
			rt_hypercall(RT_CALL_DISCARD, area, BLOCKS * BLOCK_SIZE, 0, 0);
		faults = rt_memory_info(RT_MEMORY_FAULTS);
		before = counter();
		write_page(round % BLOCKS * (BLOCK_SIZE / RT_PAGE_SIZE));
		samples[round] = counter() - before;
		sum.faults += rt_memory_info(RT_MEMORY_FAULTS) - faults;
	}
	sum.resident = rt_memory_info(RT_MEMORY_LARGE);
	for (uint64_t i = 0; i < BLOCK_EVENTS; i++)
		sum.total += samples[i];
	sort(samples, BLOCK_EVENTS);
	sum.median = samples[BLOCK_EVENTS / 2];
	print("block-2m", PHASE_BLOCK, &sum, loop.total, BLOCK_EVENTS);
	for (uint64_t i = 0; i < PROFILED; i++) {
		if (i % BLOCKS == 0)
			rt_hypercall(RT_CALL_DISCARD, area, BLOCKS * BLOCK_SIZE, 0, 0);
		mark(PHASE_BLOCK);
		write_page(i % BLOCKS * (BLOCK_SIZE / RT_PAGE_SIZE));
		mark(PHASE_IDLE);
	}
}

/* A page is read first and gets memory when it is written. */
static void zero_page(void)
{
	struct result result, loop;

	take((EVENTS + PROFILED) * RT_PAGE_SIZE);
	result = measure(0, EVENTS, read_page);
	loop = measure(0, EVENTS, read_page);
	print("zero-read", PHASE_ZERO_READ, &result, loop.total, EVENTS);
	PROFILE(PHASE_ZERO_READ, EVENTS, read_page);
	result = measure(0, EVENTS, write_page);
	if (result.faults == 0)
		return; /* there is no zero page here: the reads have had memory */
	loop = measure(0, EVENTS, write_page);
	print("unzero", PHASE_UNZERO, &result, loop.total, EVENTS);
	PROFILE(PHASE_UNZERO, EVENTS, write_page);
}

/* The pages that were written last are given back one by one. */
static void discard(void)
{
	struct result result, loop;

	if (rt_hypercall(RT_CALL_DISCARD, area, 0, 0, 0) == RT_NOT_SUPPORTED)
		return;
	loop = measure(0, EVENTS, nothing);
	result = measure(0, EVENTS, discard_page);
	print("discard", PHASE_DISCARD, &result, loop.total, EVENTS);
	PROFILE(PHASE_DISCARD, EVENTS, discard_page);
}

/* The question which pages were accessed, and all given back at once: one event each, of EVENTS pages. */
static void at_once(void)
{
	struct result result = { 0 }, loop;
	uint64_t before;

	take(EVENTS * RT_PAGE_SIZE);
	for (uint64_t i = 0; i < EVENTS; i++)
		write_page(i);
	before = counter();
	if (rt_hypercall(RT_CALL_TRACK, area, EVENTS * RT_PAGE_SIZE, RT_TRACK_ACCESSED, ~0ul) == EVENTS) {
		result.total = result.median = counter() - before;
		print("scan-accessed-16m", PHASE_NONE, &result, 0, EVENTS);
	}
	result = measure(0, EVENTS, write_page);
	loop = measure(0, EVENTS, write_page);
	if (result.faults > 0) { /* software keeps the accessed and dirty bits here */
		print("tracked", PHASE_TRACKED, &result, loop.total, EVENTS);
		rt_hypercall(RT_CALL_TRACK, area, PROFILED * RT_PAGE_SIZE, RT_TRACK_ACCESSED, ~0ul);
		PROFILE(PHASE_TRACKED, 0, write_page);
	}
	before = counter();
	if (rt_hypercall(RT_CALL_DISCARD, area, EVENTS * RT_PAGE_SIZE, 0, 0) == 0) {
		result = (struct result){ .total = counter() - before };
		result.median = result.total;
		print("discard-16m", PHASE_NONE, &result, 0, EVENTS);
	}
}

/* Nobody else wants the CPU: only a profiler sees what the timer costs. */
static void slices(void)
{
	struct result result = { 0 };
	uint64_t start = counter();

	mark(PHASE_SLICE);
	while (counter() - start < (uint64_t)SLICES * SLICE / COUNTER_TICK)
		;
	mark(PHASE_IDLE);
	print("slice", PHASE_SLICE, &result, 0, 0);
}

/* Two VMs of one vCPU each give way to each other: for each event here there are two switches. */
static void switches(void)
{
	struct result result, loop = measure(0, EVENTS, nothing);
	uint64_t child = rt_fork();

	if (rt_is_error(child))
		return;
	if (child == 0) {
		for (uint64_t i = 0; i < 2 * EVENTS; i++)
			yield(i);
		rt_exit(0);
	}
	result = measure(0, EVENTS, yield);
	print("switch", PHASE_SWITCH, &result, loop.total, 0);
	PROFILE(PHASE_SWITCH, 0, yield);
	rt_vm_wait(child);
}

/* The parent copies what it writes to; the child, which waits until the parent has ended, is the last user then. */
static void fork(void)
{
	struct result result, loop;
	uint64_t before, child;

	take((EVENTS + PROFILED) * RT_PAGE_SIZE);
	for (uint64_t i = 0; i < EVENTS + PROFILED; i++)
		write_page(i);
	loop = measure(0, EVENTS, write_page);
	before = counter();
	child = rt_fork();
	result = (struct result){ .total = counter() - before };
	result.median = result.total;
	if (rt_is_error(child))
		return;
	if (child == 0)
		rt_vm_wait(0);
	if (child != 0)
		print("fork", PHASE_NONE, &result, 0, rt_memory_info(RT_MEMORY_SHARED) / RT_PAGE_SIZE);
	measure(0, EVENTS, nothing); /* our own memory is shared, too: no longer */
	result = measure(0, EVENTS, write_page);
	print(child ? "cow-copy" : "cow-reuse", child ? PHASE_COPY : PHASE_REUSE, &result, loop.total, EVENTS);
	if (child)
		PROFILE(PHASE_COPY, EVENTS, write_page);
	else
		PROFILE(PHASE_REUSE, EVENTS, write_page);
}

int guest_main(void)
{
	measure(0, EVENTS, nothing); /* the samples' own pages are there from now on */
	hypercall();
	if (sequential("fault-4k", RT_POLICY_4K, PHASE_4K))
		PROFILE(PHASE_4K, EVENTS, write_page);
	slices();
	switches();
	if (rt_memory_info(RT_MEMORY_PROMISED) < ALL_NEEDS)
		return 0;
	(void)sequential("fault-64k", RT_POLICY_64K, PHASE_64K);
	(void)sequential("fault-2m", RT_POLICY_2M, PHASE_2M);
	(void)sequential("fault-auto", RT_POLICY_AUTO, PHASE_AUTO);
	blocks();
	zero_page();
	discard();
	at_once();
	fork();
	return 0;
}
