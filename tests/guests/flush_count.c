/* SPDX-License-Identifier: BSD-2-Clause */
/* Has all of its RAM mapped by leaves of 4 KiB, and gives all back: one flush is enough for each piece of that, of some 500 leaves.
 */
#include "guest/rt/work.h"
#include "tests/guests/check.h"

#define LEAST_PIECE 256

int guest_main(void)
{
	uint64_t flushes, pages = rt_fresh_pages(), bad = 0;

	/* Some of it with memory of its own: first, for in place of zeros it would take a flush each. */
	for (uint64_t i = 0; i < pages; i += 64)
		*(volatile uint64_t *)rt_fresh_page(i) = 1;
	for (uint64_t i = 0; i < pages; i++)
		bad += *(volatile uint64_t *)rt_fresh_page(i) != (i % 64 == 0);
	CHECK(bad == 0);
	flushes = rt_memory_info(RT_MEMORY_FLUSHES);
	for (size_t i = 0; i < rt_fresh.count; i++)
		rt_must(RT_CALL_DISCARD, rt_fresh.range[i].start, rt_fresh.range[i].size, 0);
	flushes = rt_memory_info(RT_MEMORY_FLUSHES) - flushes;
	rt_printf("flush_count: %lu pages given back, %lu flush instructions\n", pages, flushes);
	CHECK(flushes >= 1 && flushes <= pages / LEAST_PIECE + 4 * rt_fresh.count);
	for (uint64_t i = 0; i < pages; i += 64)
		bad += *(volatile uint64_t *)rt_fresh_page(i) != 0;
	CHECK(bad == 0);
	return check_status("flush_count") | rt_claims_status();
}
