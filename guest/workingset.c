/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pages does a guest use? The hypervisor tells it by the marks in its page tables (or by taking permissions away where
 * it keeps those itself); the guest knows, and compares page by page.
 *
 * Leaves of 4 KiB must give the truth. One of 2 MiB has a single mark, so it is told whole, until it is split for this.
 * Real CPUs may mark a page as accessed on speculation: there, the first comparison may find more than the truth.
 */
#include "guest/rt/work.h"

#define ROOM_SIZE   (8ul << 20)
#define WORDS       (ROOM_SIZE / RT_PAGE_SIZE / 64)
#define BLOCK_WORDS (RT_BLOCK_SIZE / RT_PAGE_SIZE / 64)
#define NO_BITMAP   ((uint64_t)-1)

/* A bit a page, as the hypervisor has it. */
struct set {
	uint64_t bits[WORDS];
};

static struct rt_range room;
static uint64_t pages, words, random;
static uint64_t *bitmap;           /* a page, for the hypervisor to write to */
static struct set accessed, dirty; /* the truth of this round */

static void add(struct set *set, uint64_t page)
{
	set->bits[page / 64] |= 1ul << page % 64;
}

static uint64_t size_of(const struct set *set)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < words; i++)
		for (uint64_t left = set->bits[i]; left; left &= left - 1)
			count++;
	return count;
}

/* Is all of `a` in `b`? */
static bool within(const struct set *a, const struct set *b)
{
	for (uint64_t i = 0; i < words; i++)
		if (a->bits[i] & ~b->bits[i])
			return false;
	return true;
}

/* The same, with all of a 2 MiB block where there was any of it. */
static struct set whole_blocks(const struct set *set)
{
	struct set out = { 0 };

	for (uint64_t i = 0; i < words; i++)
		if (set->bits[i])
			for (uint64_t j = 0; j < BLOCK_WORDS; j++)
				out.bits[i / BLOCK_WORDS * BLOCK_WORDS + j] = ~0ul;
	return out;
}

/* --- Using memory ------------------------------------------------------------------------------------------------- */

static void begin_round(void)
{
	accessed = dirty = (struct set){ 0 };
}

static volatile uint64_t *use(uint64_t page)
{
	add(&accessed, page);
	return (volatile uint64_t *)(room.start + page * RT_PAGE_SIZE) + page % 512;
}

static void read_page(uint64_t page)
{
	(void)*use(page);
}

static void write_page(uint64_t page)
{
	*use(page) = page + 1;
	add(&dirty, page);
}

static void work(uint64_t reads, uint64_t writes)
{
	begin_round();
	while (reads--)
		read_page(rt_random(&random) % pages);
	while (writes--)
		write_page(rt_random(&random) % pages);
}

/* --- Asking ------------------------------------------------------------------------------------------------------- */

static struct set estimate(enum rt_track what)
{
	struct set out;
	uint64_t count;

	memset(bitmap, 0, RT_PAGE_SIZE);
	count = rt_hypercall(RT_CALL_TRACK, room.start, room.size, what, (uintptr_t)bitmap);
	memcpy(&out, bitmap, sizeof(out));
	rt_claim(count == size_of(&out), "the call counts %ld pages, its bitmap has %lu\n", (long)count, size_of(&out));
	return out;
}

/* Let what was until now be told and forgotten. */
static void forget(void)
{
	rt_claim(rt_hypercall(RT_CALL_TRACK, room.start, room.size, RT_TRACK_ACCESSED, NO_BITMAP) <= pages, "TRACK failed\n");
	rt_claim(rt_hypercall(RT_CALL_TRACK, room.start, room.size, RT_TRACK_DIRTY, NO_BITMAP) <= pages, "TRACK failed\n");
}

static void tell(const char *name, const struct set *a, const struct set *d)
{
	rt_printf("workingset: %-22s accessed %4lu, estimate %4lu; written %4lu, estimate %4lu\n", name, size_of(&accessed),
		  size_of(a), size_of(&dirty), size_of(d));
}

static void compare_exact(const char *name)
{
	struct set a = estimate(RT_TRACK_ACCESSED), d = estimate(RT_TRACK_DIRTY);

	tell(name, &a, &d);
	rt_claim(within(&accessed, &a), "%s: pages that were accessed are not told\n", name);
	rt_claim(within(&a, &accessed), "%s: pages are told that were not accessed\n", name);
	rt_claim(within(&dirty, &d), "%s: pages that were written are not told\n", name);
	rt_claim(within(&d, &dirty), "%s: pages are told that were not written\n", name);
}

/* Nothing is missing, and what is told beyond the truth shares a block with it. */
static void compare_blocks(const char *name)
{
	struct set a = estimate(RT_TRACK_ACCESSED), d = estimate(RT_TRACK_DIRTY);
	struct set accessed_blocks = whole_blocks(&accessed), dirty_blocks = whole_blocks(&dirty);

	tell(name, &a, &d);
	rt_claim(within(&accessed, &a) && within(&a, &accessed_blocks), "%s: accessed blocks are wrong\n", name);
	rt_claim(within(&dirty, &d) && within(&d, &dirty_blocks), "%s: written blocks are wrong\n", name);
}

/* --- The rounds --------------------------------------------------------------------------------------------------- */

static void by_pages(void)
{
	rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_4K);
	forget();
	work(pages / 8, pages / 16);
	compare_exact("4 KiB, fresh:");
	work(0, 0);
	compare_exact("4 KiB, idle:");
	work(pages / 4, pages / 32);
	compare_exact("4 KiB, other pages:");
	work(20, pages);
	compare_exact("4 KiB, mostly written:");
	work(pages, 3);
	compare_exact("4 KiB, mostly read:");
}

static void by_blocks(void)
{
	rt_must(RT_CALL_DISCARD, room.start, room.size, 0);
	rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_2M);
	for (uint64_t page = 0; page < pages; page++)
		write_page(page);
	forget();
	begin_round();
	read_page(3);
	write_page(5);
	compare_blocks("2 MiB, two pages:");
	/* From here on it is to be exact. */
	estimate(RT_TRACK_DIRTY_EXACT);
	forget();
	work(10, 20);
	compare_exact("2 MiB, split:");
	work(pages / 2, pages / 4);
	compare_exact("2 MiB, split, later:");
}

int guest_main(void)
{
	uint64_t promised = rt_memory_info(RT_MEMORY_PROMISED);

	random = 0x2545f4914f6cdd1d;
	bitmap = (uint64_t *)rt_take(RT_BLOCK_SIZE).start;
	room = rt_take(promised / 4 < ROOM_SIZE ? promised / 4 : ROOM_SIZE);
	pages = room.size / RT_PAGE_SIZE;
	words = pages / 64;
	rt_printf("workingset: %lu pages to use\n", pages);
	by_pages();
	by_blocks();
	if (rt_claims_status() == 0)
		rt_printf("workingset: the estimate was the truth wherever it can be\n");
	return rt_claims_status();
}
