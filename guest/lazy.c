/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Nestling is for: a guest that has far more memory than its host, as long as it touches little of it.
 *
 * Three ways of touching: in a row, one page in each of many 2 MiB blocks, and at random all over. Each page must read
 * as zeros before it is written, and must hold its own pattern, and nobody else's, from then on. How many pages are
 * touched depends on the size of RAM only where that is below 258 MiB, so a guest of any size above costs the same.
 */
#include "guest/rt/work.h"

#define BLOCK_SIZE 0x200000u
#define PAGE_WORDS (RT_PAGE_SIZE / sizeof(uint64_t))

#define SEQUENTIAL_PAGES 64
#define SPARSE_PAGES     128
#define RANDOM_PAGES     128

static uint64_t touched[SEQUENTIAL_PAGES + SPARSE_PAGES + RANDOM_PAGES];
static size_t touched_count;
static bool failed;

/* Another number for every word in memory: multiplication by an odd number loses nothing. */
static uint64_t pattern(const uint64_t *word)
{
	return (uintptr_t)word * 0x9e3779b97f4a7c15;
}

static bool is_touched(uint64_t page)
{
	for (size_t i = 0; i < touched_count; i++)
		if (touched[i] == page)
			return true;
	return false;
}

static void touch(uint64_t page)
{
	volatile uint64_t *words = (volatile uint64_t *)page;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (words[i] != 0 && !failed) {
			rt_printf("lazy: FAILED: fresh page 0x%lx holds 0x%lx at byte %zu, not 0\n", page, words[i],
				  i * sizeof(*words));
			failed = true;
		}
	for (size_t i = 0; i < PAGE_WORDS; i++)
		words[i] = pattern((uint64_t *)page + i);
	touched[touched_count++] = page;
}

static void check(uint64_t page)
{
	volatile uint64_t *words = (volatile uint64_t *)page;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (words[i] != pattern((uint64_t *)page + i) && !failed) {
			rt_printf("lazy: FAILED: page 0x%lx holds 0x%lx at byte %zu, not what was written there\n", page, words[i],
				  i * sizeof(*words));
			failed = true;
		}
}

/* --- Fresh memory, as one row of blocks over all ranges ----------------------------------------------------------- */

static uint64_t range_blocks(const struct rt_range *range)
{
	uint64_t first = (range->start + BLOCK_SIZE - 1) / BLOCK_SIZE, end = (range->start + range->size) / BLOCK_SIZE;

	return end > first ? end - first : 0;
}

/* How many whole 2 MiB blocks there are, and where number `index` begins. */
static uint64_t fresh_blocks(void)
{
	uint64_t blocks = 0;

	for (size_t i = 0; i < rt_fresh.count; i++)
		blocks += range_blocks(&rt_fresh.range[i]);
	return blocks;
}

static uint64_t fresh_block(uint64_t index)
{
	const struct rt_range *range = rt_fresh.range;

	for (; index >= range_blocks(range); range++)
		index -= range_blocks(range);
	return (range->start + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE + index * BLOCK_SIZE;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- The three ways ----------------------------------------------------------------------------------------------- */

/* Small memories are not used up, so that each way finds fresh pages. */
static void touch_sequential(uint64_t pages)
{
	uint64_t count = min(SEQUENTIAL_PAGES, pages / 8);

	for (uint64_t i = 0; i < count; i++)
		touch(rt_fresh_page(i));
}

static void touch_sparse(uint64_t pages)
{
	uint64_t blocks = fresh_blocks(), count = min(min(SPARSE_PAGES, blocks), pages / 8);

	/* Another page in each block, and none of the first, which may be taken in a row already. */
	for (uint64_t i = 0; i < count; i++)
		touch(fresh_block(i * (blocks / count)) + (SEQUENTIAL_PAGES + i) * RT_PAGE_SIZE);
}

static void touch_random(uint64_t pages)
{
	uint64_t count = min(RANDOM_PAGES, pages / 4), random = 0x2545f4914f6cdd1d;

	while (count > 0) {
		uint64_t page;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		page = rt_fresh_page((random >> 11) % pages);
		if (is_touched(page))
			continue;
		touch(page);
		count--;
	}
}

static void phase(const char *name, const char *how, void (*touch_pages)(uint64_t), uint64_t pages)
{
	uint64_t resident = rt_memory_info(RT_MEMORY_RESIDENT), faults = rt_memory_info(RT_MEMORY_FAULTS);
	size_t before = touched_count;

	touch_pages(pages);
	for (size_t i = 0; i < before; i++)
		check(touched[i]);
	rt_printf("lazy: %-10s %3zu pages, %s: %lu faults, %s -> %s resident\n", name, touched_count - before, how,
		  rt_memory_info(RT_MEMORY_FAULTS) - faults, rt_size_text(resident).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text);
}

int guest_main(void)
{
	uint64_t promised = rt_memory_info(RT_MEMORY_PROMISED), pages = rt_fresh_pages();

	rt_printf("lazy: promised %s, %lu fresh pages of it; %s resident so far\n", rt_size_text(promised).text, pages,
		  rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text);

	phase("sequential", "one after the other", touch_sequential, pages);
	phase("sparse", "one in each of as many blocks of 2 MiB", touch_sparse, pages);
	phase("random", "all over", touch_random, pages);
	for (size_t i = 0; i < touched_count; i++)
		check(touched[i]);
	if (failed)
		return 1;

	rt_printf("lazy: every page read as zeros at first, and then as what was written\n");
	rt_printf("lazy: promised %s, touched %zu pages, %s resident, %s of page tables\n", rt_size_text(promised).text,
		  touched_count, rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_TABLES)).text);
	return 0;
}
