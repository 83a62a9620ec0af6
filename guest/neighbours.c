/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two VMs that do some work, and beside them a hog that wants all CPUs and much memory: which shares does each get? On one CPU a
 * third each; with more CPUs than that a whole one each. The three are forks of one VM, which is one of the two.
 */
#include "guest/rt/clock.h"
#include "guest/rt/smp.h"
#include "guest/rt/work.h"

#define WORK_US     1500000 /* how long the two work, by the clock */
#define WORK_PAGES  64
/* The least share of a CPU, in percent: a third is fair on one CPU, less what the others' last slices take at either end. */
#define LEAST_SHARE 25

static struct rt_range room;

/* What a VM got while it worked. */
struct share {
	uint64_t clock, cpu, steps;
};

static void begin(struct share *share)
{
	*share = (struct share){ rt_clock_us(), rt_memory_info(RT_MEMORY_CPU_TIME), 0 };
}

static void end(struct share *share)
{
	share->clock = rt_clock_us() - share->clock;
	share->cpu = rt_memory_info(RT_MEMORY_CPU_TIME) - share->cpu;
}

static uint64_t percent(const struct share *share)
{
	return share->cpu * 100 / (share->clock ? share->clock : 1);
}

static void tell(const char *who, const struct share *share)
{
	rt_printf("neighbours: %s: %lu%% of a CPU (%lu of %lu ms), %lu steps; %s of its own\n", who, percent(share),
		  share->cpu / 1000, share->clock / 1000, share->steps, rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text);
}

/* Fill pages, and see that they hold it: nobody else writes there. */
static void work(const char *who, uint64_t salt)
{
	struct share share;

	begin(&share);
	do {
		for (unsigned i = 0; i < WORK_PAGES; i++)
			rt_page_fill(room.start + i * RT_PAGE_SIZE, salt + share.steps);
		for (unsigned i = 0; i < WORK_PAGES; i++)
			rt_claim(rt_page_holds(room.start + i * RT_PAGE_SIZE, salt + share.steps), "%s: lost page %u\n", who, i);
		share.steps++;
	} while (rt_clock_us() - share.clock < WORK_US);
	end(&share);
	tell(who, &share);
	rt_claim(percent(&share) >= LEAST_SHARE, "%s: %lu%% of a CPU\n", who, percent(&share));
}

/* A quarter of what is free; then write to it again and again, until the others have ended. Its share is that of the same time. */
static _Noreturn void hog(void)
{
	uint64_t pages = rt_memory_info(RT_MEMORY_HOST_FREE) / 4 / RT_PAGE_SIZE, fresh = rt_fresh_pages(), page = 0;
	bool told = false;
	struct share share;

	begin(&share);
	pages = pages < fresh ? pages : fresh;
	while (rt_memory_info(RT_MEMORY_FORKS_LIVE) > 1) {
		for (unsigned i = 0; i < 64; i++, page = (page + 1) % pages)
			*(volatile uint64_t *)rt_fresh_page(page) = ++share.steps;
		if (told || rt_clock_us() - share.clock < WORK_US)
			continue;
		end(&share);
		tell("the hog", &share);
		told = true;
	}
	rt_exit((uint64_t)rt_claims_status());
}

int guest_main(void)
{
	uint64_t number;

	room = rt_take(RT_BLOCK_SIZE);
	rt_clock_us(); /* before there is anybody else */
	number = rt_fork();
	if (number == 0)
		hog();
	rt_claim(!rt_is_error(number), "the hog cannot be made: %ld\n", (long)number);
	number = rt_fork();
	rt_claim(!rt_is_error(number), "the neighbour cannot be made: %ld\n", (long)number);
	work(number ? "the first" : "the second", number ? 0x1000 : 0x2000);
	/* The hog's line may come after this. */
	if (number && rt_claims_status() == 0)
		rt_printf("neighbours: at least %u%% of a CPU, whatever the hog does\n", LEAST_SHARE);
	return rt_claims_status();
}
