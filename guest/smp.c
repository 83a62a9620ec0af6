/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several vCPUs in one memory: they write to the same pages at once, give pages back under each other's feet, fill memory together
 * and look at what the others wrote. Each byte is checked at the end. With one vCPU it does the same alone.
 */
#include "guest/rt/smp.h"
#include "guest/rt/work.h"

#define ROOM        (16ul << 20)
#define PAGE_WORDS  (RT_PAGE_SIZE / sizeof(uint64_t))
#define FILLED      0x1000 /* salts: + the vCPU that has filled a page */
#define COUNTS      512    /* additions of each vCPU to each counter */
#define COUNTERS    64
#define FEET_PAGES  32
#define FEET_ROUNDS 8
#define FEET_PASSES 4

static struct rt_range room;
static uint64_t pages;
static unsigned cpus;
static struct rt_barrier barrier;
/* Failures that no line tells of, and what the vCPUs have counted. */
static uint64_t wrong, counted, vanished;

static volatile uint64_t *word_at(uint64_t page, unsigned word)
{
	return (volatile uint64_t *)(room.start + page * RT_PAGE_SIZE) + word;
}

static void discard(uint64_t first, uint64_t count)
{
	rt_must(RT_CALL_DISCARD, room.start + first * RT_PAGE_SIZE, count * RT_PAGE_SIZE, 0);
}

static void meet(void)
{
	rt_barrier(&barrier, cpus);
}

/* A phase by all vCPUs, and a line of what it cost: exits are mostly the faults that brought memory. */
static void phase(const char *name, void (*function)(void *argument))
{
	uint64_t faults = rt_memory_info(RT_MEMORY_FAULTS), flushes = rt_memory_info(RT_MEMORY_FLUSHES);

	wrong = counted = vanished = 0;
	rt_cpu_all(function, NULL);
	rt_claim(wrong == 0, "%s: %lu words or pages are not what they should be\n", name, wrong);
	rt_printf("smp: %-8s %lu faults, %lu flushes, %s resident: ", name, rt_memory_info(RT_MEMORY_FAULTS) - faults,
		  rt_memory_info(RT_MEMORY_FLUSHES) - flushes, rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text);
}

/* --- Fill --------------------------------------------------------------------------------------------------------- */

/* Every page by one vCPU, its neighbours by others; then each looks at what the next one has filled. */
static void fill(void *unused)
{
	unsigned id = rt_cpu_id();

	(void)unused;
	for (uint64_t page = id; page < pages; page += cpus)
		rt_page_fill(room.start + page * RT_PAGE_SIZE, FILLED + id);
	meet();
	id = (id + 1) % cpus;
	for (uint64_t page = id; page < pages; page += cpus) {
		bool good = rt_page_holds(room.start + page * RT_PAGE_SIZE, FILLED + id);

		rt_atomic_add(good ? &counted : &wrong, 1);
	}
}

/* --- Share -------------------------------------------------------------------------------------------------------- */

/*
 * Every page by all vCPUs at once, a word of each: if two faults on a page gave it two frames, the words in one of them would be
 * lost. The counters are in fresh memory, too.
 */
static void share(void *unused)
{
	unsigned id = rt_cpu_id();

	(void)unused;
	for (uint64_t page = COUNTERS; page < pages; page++)
		*word_at(page, id) = page + id + 1;
	for (unsigned i = 0; i < COUNTS; i++)
		for (uint64_t page = 0; page < COUNTERS; page++)
			rt_atomic_add((uint64_t *)word_at(page, page % PAGE_WORDS), 1);
	meet();
	for (uint64_t page = COUNTERS + id; page < pages; page += cpus)
		for (unsigned word = 0; word < PAGE_WORDS; word++)
			if (*word_at(page, word) != (word < cpus ? page + word + 1 : 0))
				rt_atomic_add(&wrong, 1);
	for (uint64_t page = id; page < COUNTERS; page += cpus)
		for (unsigned word = 0; word < PAGE_WORDS; word++)
			if (*word_at(page, word) != (word == page % PAGE_WORDS ? (uint64_t)COUNTS * cpus : 0))
				rt_atomic_add(&wrong, 1);
	rt_atomic_add(&counted, (uint64_t)COUNTS * COUNTERS);
}

/* --- Feet --------------------------------------------------------------------------------------------------------- */

/* Write an own word of each page, and read it again until the next pass: it is there, or zero from some time on. */
static void walk_over(unsigned id, uint64_t value)
{
	for (uint64_t page = 0; page < FEET_PAGES; page++)
		*word_at(page, id) = value;
	for (uint64_t page = 0; page < FEET_PAGES; page++) {
		uint64_t first = *word_at(page, id), second = *word_at(page, id);

		if ((first != value && first != 0) || (second != first && second != 0))
			rt_atomic_add(&wrong, 1);
		if (second == 0)
			rt_atomic_add(&vanished, 1);
	}
}

/* One of them gives pages back, the next one in each round; so they are zeros, or what was written since. */
static void feet(void *unused)
{
	unsigned id = rt_cpu_id();

	(void)unused;
	for (unsigned round = 0; round < FEET_ROUNDS; round++) {
		meet();
		for (unsigned pass = 0; pass < FEET_PASSES; pass++) {
			walk_over(id, ((uint64_t)round << 16 | pass << 8 | id) + 1);
			if (round % cpus == id)
				for (uint64_t page = pass % 2; page < FEET_PAGES; page += 2)
					discard(page, 1);
		}
		meet();
		if (round % cpus != id)
			continue;
		/* Nobody writes now. */
		discard(0, FEET_PAGES);
		for (uint64_t page = 0; page < FEET_PAGES; page++)
			if (!rt_page_is_zero(room.start + page * RT_PAGE_SIZE))
				rt_atomic_add(&wrong, 1);
		rt_atomic_add(&counted, FEET_PAGES);
	}
}

/* --- All of it ---------------------------------------------------------------------------------------------------- */

static void check_all(void)
{
	uint64_t bad = 0;

	for (uint64_t page = 0; page < pages; page++)
		bad += !rt_page_holds(room.start + page * RT_PAGE_SIZE, FILLED + (unsigned)(page % cpus));
	rt_claim(bad == 0, "%lu pages are not what was written there\n", bad);
}

int guest_main(void)
{
	uint64_t promised = rt_memory_info(RT_MEMORY_PROMISED);

	cpus = rt_cpu_count();
	room = rt_take(promised / 4 < ROOM ? promised / 4 : ROOM);
	pages = room.size / RT_PAGE_SIZE;
	rt_printf("smp: %u vCPUs and %s that nobody has touched\n", cpus, rt_size_text(room.size).text);

	phase("share", share);
	rt_printf("each page by all of them at once, %lu additions, none lost\n", counted);
	discard(0, pages);
	phase("feet", feet);
	rt_printf("%lu pages given back by one while the others used them, %lu words seen to vanish\n", counted, vanished);
	discard(0, pages);
	phase("fill", fill);
	rt_printf("%lu pages of the others looked at\n", counted);
	rt_claim(counted == pages, "%lu of %lu pages are what another vCPU wrote\n", counted, pages);

	check_all();
	if (rt_claims_status() == 0)
		rt_printf("smp: every byte is what it should be\n");
	return rt_claims_status();
}
