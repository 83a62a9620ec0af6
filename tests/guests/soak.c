/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs that come and go, for "seconds=N" of the command line, by "seed=N" of it: the first one forks others, each of which does some
 * of all that there is to do, on all of its vCPUs, and ends in some way, often a bad one. Nobody's memory may be anything but its
 * own.
 */
#include "command_line.h"
#include "guest/rt/clock.h"
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "isa.h"
#include "tests/guests/option.h"

#define ALIVE       12 /* VMs at a time, of this fork tree */
#define GENERATIONS 3
#define ROOM        (32ul << 20)
#define PAGES       256 /* of it that are looked at */
#define STEPS       30
#define HOG_PAGES   2048

static uint64_t state, generation, wrong, until;
static struct rt_range room;
/* What each page was filled with; 0: it is zeros. */
static uint64_t salts[PAGES];

static uint64_t pick(uint64_t choices)
{
	return rt_random(&state) % choices;
}

static uint64_t page_at(uint64_t index)
{
	return room.start + index * RT_PAGE_SIZE;
}

/* --- What a VM does ----------------------------------------------------------------------------------------------- */

static void check_page(uint64_t i)
{
	rt_claim(salts[i] ? rt_page_holds(page_at(i), salts[i]) : rt_page_is_zero(page_at(i)),
		 "generation %lu: page %lu is not what it was (%lx)\n", generation, i, salts[i]);
}

static void check_all(void)
{
	for (uint64_t i = 0; i < PAGES; i++)
		check_page(i);
}

static void fill_some(void)
{
	for (uint64_t n = pick(32), i = pick(PAGES); n > 0; n--, i = (i + 1) % PAGES) {
		check_page(i);
		salts[i] = state | 1;
		rt_page_fill(page_at(i), salts[i]);
	}
}

static void discard_some(void)
{
	uint64_t first = pick(PAGES), count = 1 + pick(PAGES - first);

	rt_must(RT_CALL_DISCARD, page_at(first), count * RT_PAGE_SIZE, 0);
	for (uint64_t i = first; i < first + count; i++)
		salts[i] = 0;
}

/* Calls that may want memory, of which there may be none. */
static void ask(enum rt_call call, uint64_t start, uint64_t size, uint64_t argument)
{
	uint64_t result = rt_hypercall(call, start, size, argument, ~0ul);

	rt_claim(!rt_is_error(result) || result == RT_NO_MEMORY, "call %u gave %ld\n", (unsigned)call, (long)result);
}

static void change_policy(void)
{
	ask(RT_CALL_SET_POLICY, room.start, room.size / 2, pick(RT_POLICIES));
}

static void protect_some(void)
{
	uint64_t first = pick(PAGES), size = (1 + pick(PAGES - first)) * RT_PAGE_SIZE;

	ask(RT_CALL_PROTECT, page_at(first), size, RT_READ);
	check_all();
	ask(RT_CALL_PROTECT, room.start, PAGES * RT_PAGE_SIZE, RT_READ | RT_WRITE | RT_EXECUTE);
}

static void track_some(void)
{
	ask(RT_CALL_TRACK, room.start, room.size, pick(3));
}

/* Much memory for a short time; others may find none meanwhile, and end by that. */
static void hog(void)
{
	uint64_t pages = pick(HOG_PAGES), from = room.start + room.size / 2;

	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint64_t *)(from + i * RT_PAGE_SIZE) = state + i;
	for (uint64_t i = 0; i < pages; i++)
		if (*(volatile uint64_t *)(from + i * RT_PAGE_SIZE) != state + i)
			wrong++;
	if (pages)
		rt_must(RT_CALL_DISCARD, from, pages * RT_PAGE_SIZE, 0);
	rt_claim(wrong == 0, "%lu words of much memory are not what they were\n", wrong);
}

static void spin(void)
{
	for (volatile uint64_t i = pick(300000); i > 0; i--)
		;
}

/* --- What all vCPUs do -------------------------------------------------------------------------------------------- */

#define SHARED 64 /* pages behind those that one vCPU fills */

static volatile uint64_t *shared_word(uint64_t page, unsigned id)
{
	return (volatile uint64_t *)page_at(PAGES + page) + id;
}

/* Each its own word of the same pages, some of which go away meanwhile. */
static void share(void *unused)
{
	unsigned id = rt_cpu_id();

	(void)unused;
	for (uint64_t page = 0; page < SHARED; page++) {
		uint64_t value;

		*shared_word(page, id) = page + id + 1;
		if (page % 8 == id % 8)
			rt_hypercall(RT_CALL_DISCARD, page_at(PAGES + page), RT_PAGE_SIZE, 0, 0);
		value = *shared_word(page, id);
		if (value != 0 && value != page + id + 1)
			rt_atomic_add(&wrong, 1);
	}
}

static void together(void)
{
	rt_cpu_all(share, NULL);
	rt_claim(wrong == 0, "%lu words that vCPUs have written are not theirs\n", wrong);
	rt_must(RT_CALL_DISCARD, page_at(PAGES), SHARED * RT_PAGE_SIZE, 0);
}

static void work_on(void *unused)
{
	(void)unused;
	for (;;)
		share(NULL);
}

/* Leave the other vCPUs at work, so that the end comes in the middle of it. */
static void busy_end(void)
{
	for (unsigned id = 1; id < rt_cpu_count(); id++)
		while (rt_cpu_start(id, work_on, NULL) == RT_DENIED)
			rt_yield();
	spin();
}

/* --- How it ends -------------------------------------------------------------------------------------------------- */

static _Noreturn void end_somehow(void)
{
	int status = rt_claims_status();

	if (status)
		rt_exit((uint64_t)status);
	if (pick(4) == 0)
		rt_cpu_off(); /* the others are off */
	if (pick(2))
		busy_end();
	switch (pick(6)) {
	case 0:
		__asm__ volatile(UNDEFINED_INSN);
		break;
	case 1:
		*(volatile uint64_t *)HOLE = 1;
		break;
	case 2:
		rt_must(RT_CALL_PROTECT, page_at(0), RT_PAGE_SIZE, RT_READ);
		*(volatile uint64_t *)page_at(0) = 1;
	}
	rt_exit(0);
}

static _Noreturn void live(void);

static void fork_one(void)
{
	uint64_t result, seed = state * 0x9e3779b97f4a7c15 | 1, number = rt_memory_info(RT_MEMORY_FORK_NUMBER);

	if (rt_memory_info(RT_MEMORY_FORKS_LIVE) >= ALIVE)
		return;
	result = rt_fork();
	rt_claim((result == 0) == (rt_memory_info(RT_MEMORY_FORK_NUMBER) != number), "VM %lu: FORK gave %ld in VM %lu\n", number,
		 (long)result, rt_memory_info(RT_MEMORY_FORK_NUMBER));
	if (result == 0) {
		state = seed;
		generation++;
		check_all();
		live();
	}
	rt_claim(!rt_is_error(result) || result == RT_NO_MEMORY, "FORK gave %ld\n", (long)result);
}

/* The first VM does only the first few, for it must not come to its limit: it is to be there to the end. */
static void step(void)
{
	static void (*const steps[])(void) = { fill_some,  discard_some, together,      rt_yield,     fill_some,
					       track_some, spin,         change_policy, protect_some, hog };

	steps[pick(generation ? sizeof(steps) / sizeof(*steps) : 5)]();
}

static void live(void)
{
	for (uint64_t steps = pick(STEPS); steps > 0 && rt_claims_status() == 0; steps--) {
		step();
		if (generation < GENERATIONS && pick(8) == 0)
			fork_one();
	}
	check_all();
	end_somehow();
}

int guest_main(void)
{
	uint64_t forks = 0;

	state = option(command_line(), "seed=", 1) * 0x9e3779b97f4a7c15 | 1;
	room = rt_take(ROOM);
	rt_claim(room.size == ROOM, "there are %lu bytes only\n", room.size);
	until = rt_clock_us() + option(command_line(), "seconds=", 10) * 1000000;
	while (rt_clock_us() < until && rt_claims_status() == 0) {
		step();
		fork_one();
		forks++;
		if (rt_memory_info(RT_MEMORY_FORKS_LIVE) >= ALIVE)
			rt_yield();
	}
	check_all();
	/* What has ended may have been forked meanwhile. */
	while (rt_memory_info(RT_MEMORY_FORKS_LIVE) > 1)
		rt_yield();
	rt_printf("soak: %lu rounds, and nothing was lost\n", forks);
	return rt_claims_status();
}
