/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading costs nothing: what was never written is one frame of zeros, mapped wherever it is read. Only the pages that are
 * written then get memory of their own.
 */
#include "guest/rt/work.h"

#define WRITTEN 256

static uint64_t pages;

/* The pages that are written lie this far apart. */
static uint64_t stride(void)
{
	return pages / WRITTEN;
}

static bool is_written(uint64_t index)
{
	return index % stride() == 0 && index / stride() < WRITTEN;
}

/* Read a word of each page, another one each time. */
static void read_all(bool written)
{
	uint64_t index = 0, bad = 0;

	for (size_t i = 0; i < rt_fresh.count; i++) {
		const struct rt_range *range = &rt_fresh.range[i];

		for (uint64_t at = 0; at < range->size; at += RT_PAGE_SIZE, index++) {
			volatile uint64_t *page = (volatile uint64_t *)(range->start + at);

			if (!written || !is_written(index))
				bad += page[index % 512] != 0;
		}
	}
	rt_claim(bad == 0, "%lu pages that were never written do not read as zeros\n", bad);
}

/* Read everything, and see what that costs. */
static void reading(void)
{
	uint64_t resident = rt_memory_info(RT_MEMORY_RESIDENT), exits = rt_memory_info(RT_MEMORY_EXITS), cost;

	read_all(false);
	cost = rt_memory_info(RT_MEMORY_RESIDENT) - resident;
	rt_printf("zeros: read all of %s: %lu exits, %s -> %s resident; %s are the shared zeros\n",
		  rt_size_text(pages * RT_PAGE_SIZE).text, rt_memory_info(RT_MEMORY_EXITS) - exits, rt_size_text(resident).text,
		  rt_size_text(resident + cost).text, rt_size_text(rt_memory_info(RT_MEMORY_ZERO)).text);
	rt_claim(cost <= RT_OWN_BYTES, "reading cost %lu bytes\n", cost);
	rt_claim(rt_memory_info(RT_MEMORY_ZERO) >= pages * RT_PAGE_SIZE, "not all that was read is the shared zeros\n");

	exits = rt_memory_info(RT_MEMORY_EXITS);
	read_all(false);
	exits = rt_memory_info(RT_MEMORY_EXITS) - exits;
	rt_claim(exits <= RT_OWN_PAGES, "reading it again took %lu exits\n", exits);
}

/* Give some pages a content, 4 KiB each whatever the policy was, and see that the others stay as they are. */
static void writing(void)
{
	uint64_t resident = rt_memory_info(RT_MEMORY_RESIDENT), cost;

	for (size_t i = 0; i < rt_fresh.count; i++)
		rt_must(RT_CALL_SET_POLICY, rt_fresh.range[i].start, rt_fresh.range[i].size, RT_POLICY_4K);
	for (uint64_t i = 0; i < WRITTEN; i++)
		rt_page_fill(rt_fresh_page(i * stride()), i);
	cost = rt_memory_info(RT_MEMORY_RESIDENT) - resident;
	rt_printf("zeros: wrote %u pages of it: %s more\n", WRITTEN, rt_size_text(cost).text);
	rt_claim(cost >= WRITTEN * RT_PAGE_SIZE && cost <= WRITTEN * RT_PAGE_SIZE + RT_OWN_BYTES,
		 "writing %u pages cost %lu bytes\n", WRITTEN, cost);
	for (uint64_t i = 0; i < WRITTEN; i++)
		rt_claim(rt_page_holds(rt_fresh_page(i * stride()), i), "page %lu lost what was written\n", i * stride());
	read_all(true);
}

int guest_main(void)
{
	for (size_t i = 0; i < rt_fresh.count; i++)
		rt_must(RT_CALL_DISCARD, rt_fresh.range[i].start, rt_fresh.range[i].size, 0);
	pages = rt_fresh_pages();
	rt_printf("zeros: promised %s; %s resident\n", rt_size_text(rt_memory_info(RT_MEMORY_PROMISED)).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_RESIDENT)).text);
	reading();
	writing();
	if (rt_claims_status() == 0)
		rt_printf("zeros: only what was written costs memory; all else reads as zeros\n");
	return rt_claims_status();
}
