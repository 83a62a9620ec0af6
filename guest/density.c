/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each policy makes of the same accesses: how many exits they take, and how much memory.
 *
 * Few exits are bought by giving the guest what it has not asked for yet. Which policy is best depends on what comes next,
 * which only `auto` tries to tell, from what is there already.
 */
#include "guest/rt/work.h"

#define BLOCK_PAGES (RT_BLOCK_SIZE / RT_PAGE_SIZE)
#define GROUP_PAGES 16 /* of 64 KiB */

static const char *const policy_names[RT_POLICIES] = RT_POLICY_NAMES;

static struct rt_range room;
static uint64_t pages; /* of it */

/* --- Patterns: each calls touch() for its pages ------------------------------------------------------------------- */

static uint64_t touched, groups, blocks; /* pages; and how many 64 KiB and 2 MiB they lie in */
static bool reading;
static unsigned char seen[(64ul << 20) / RT_PAGE_SIZE / 8];

static bool note(uint64_t page)
{
	unsigned char bit = (unsigned char)(1u << page % 8);
	bool old = seen[page / 8] & bit;

	seen[page / 8] |= bit;
	return old;
}

/* Does [first, first + count) hold a page that was touched? */
static bool any_seen(uint64_t first, uint64_t count)
{
	for (uint64_t page = first; page < first + count; page++)
		if (seen[page / 8] >> page % 8 & 1)
			return true;
	return false;
}

static void touch(uint64_t page)
{
	volatile uint64_t *at = (volatile uint64_t *)(room.start + page * RT_PAGE_SIZE);

	if (note(page))
		return;
	touched++;
	if (reading)
		rt_claim(*at == 0, "page %lu is not zero\n", page);
	else
		*at = page + 1;
}

static void sequential(void)
{
	for (uint64_t page = 0; page < pages; page++)
		touch(page);
}

static void strided(void)
{
	for (uint64_t page = 0; page < pages; page += GROUP_PAGES)
		touch(page);
}

static void sparse(void)
{
	for (uint64_t page = 0; page < pages; page += BLOCK_PAGES)
		touch(page + page / BLOCK_PAGES % BLOCK_PAGES);
}

/* Three of four pages, in no order: an odd step and a power of two have no common divisor. */
static void scattered(void)
{
	for (uint64_t i = 0, page = 0; i < pages / 4 * 3; i++, page = (page + 0x9e3779b1) % pages)
		touch(page);
}

static const struct {
	const char *name;
	void (*run)(void);
	bool reading;
} patterns[] = {
	{ "sequential", sequential, false }, { "random", scattered, false },  { "strided", strided, false },
	{ "sparse", sparse, false },         { "reading", sequential, true },
};

#define PATTERNS (sizeof(patterns) / sizeof(*patterns))

/* --- Measuring ---------------------------------------------------------------------------------------------------- */

struct cost {
	uint64_t exits, resident;
};

static struct cost measure(unsigned pattern, enum rt_policy policy)
{
	uint64_t resident = rt_memory_info(RT_MEMORY_RESIDENT), exits;

	memset(seen, 0, sizeof(seen));
	touched = groups = blocks = 0;
	reading = patterns[pattern].reading;
	rt_must(RT_CALL_SET_POLICY, room.start, room.size, policy);
	exits = rt_memory_info(RT_MEMORY_EXITS);
	patterns[pattern].run();
	exits = rt_memory_info(RT_MEMORY_EXITS) - exits;
	resident = rt_memory_info(RT_MEMORY_RESIDENT) - resident;
	rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_4K);
	rt_must(RT_CALL_DISCARD, room.start, room.size, 0);
	for (uint64_t page = 0; page < pages; page += GROUP_PAGES)
		groups += any_seen(page, GROUP_PAGES);
	for (uint64_t page = 0; page < pages; page += BLOCK_PAGES)
		blocks += any_seen(page, BLOCK_PAGES);
	return (struct cost){ exits, resident };
}

/* --- What is claimed ---------------------------------------------------------------------------------------------- */

/* The memory that a policy may take for the pages that were touched, by what it deals in. */
static uint64_t most(enum rt_policy policy)
{
	switch (policy) {
	case RT_POLICY_4K:
		return touched * RT_PAGE_SIZE;
	case RT_POLICY_AUTO:
		/* Where no page has a neighbour it gives no more than 4k does; and a whole block when it is full but for a 20th. */
		return (touched == groups ? 1 : GROUP_PAGES) * groups * RT_PAGE_SIZE;
	case RT_POLICY_64K:
		return groups * GROUP_PAGES * RT_PAGE_SIZE;
	case RT_POLICY_2M:
		return blocks * RT_BLOCK_SIZE;
	default:
		return room.size;
	}
}

/* The same in bytes, for one pattern under all policies. */
static void check(const char *name, enum rt_policy policy, const struct cost *cost, const struct cost *simple)
{
	const char *which = policy_names[policy];
	uint64_t limit = most(policy), least = touched * RT_PAGE_SIZE;

	if (reading && policy != RT_POLICY_POPULATE)
		limit = least = 0;
	rt_claim(cost->resident >= least && cost->resident <= limit + limit / 20 + RT_OWN_BYTES,
		 "%s, %s: %lu bytes resident, between %lu and %lu were expected\n", name, which, cost->resident, least, limit);
	rt_claim(cost->exits <= simple->exits + RT_OWN_PAGES, "%s, %s: %lu exits, more than the %lu of 4k\n", name, which,
		 cost->exits, simple->exits);
	if (policy == RT_POLICY_4K)
		rt_claim(cost->exits >= touched && cost->exits <= touched + RT_OWN_PAGES, "%s, 4k: %lu exits for %lu pages\n", name,
			 cost->exits, touched);
	else if (touched == pages)
		rt_claim(cost->exits * 4 <= simple->exits, "%s, %s: %lu exits, more than a quarter of 4k's %lu\n", name, which,
			 cost->exits, simple->exits);
}

static void compare(unsigned pattern)
{
	const char *name = patterns[pattern].name;
	struct cost cost[RT_POLICIES];

	for (unsigned policy = 0; policy < RT_POLICIES; policy++) {
		cost[policy] = measure(pattern, policy);
		rt_printf("density: %-10s  %-8s  %6lu exits  %8s resident  %8s touched\n", name, policy_names[policy],
			  cost[policy].exits, rt_size_text(cost[policy].resident).text, rt_size_text(touched * RT_PAGE_SIZE).text);
		check(name, policy, &cost[policy], &cost[RT_POLICY_4K]);
	}
}

int guest_main(void)
{
	/* A power of two, so that the random pattern meets every page. */
	uint64_t promised = rt_memory_info(RT_MEMORY_PROMISED), size = 4ul << 20;

	while (size < 32ul << 20 && size * 32 <= promised)
		size *= 2;
	room = rt_take(size);
	pages = room.size / RT_PAGE_SIZE;
	measure(0, RT_POLICY_4K); /* what the program itself touches is there from then on */
	rt_printf("density: each line is another pattern or policy, on the same %s\n", rt_size_text(room.size).text);
	for (unsigned pattern = 0; pattern < PATTERNS; pattern++)
		compare(pattern);
	if (rt_claims_status() == 0)
		rt_printf("density: in a row, 64k and auto take a quarter of the exits at most, and no more memory than was "
			  "touched\n");
	return rt_claims_status();
}
