/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is not needed any more goes back to the host, and comes again, as zeros, when it is touched. */
#include "guest/rt/work.h"

/* Where only a part is given back: not at borders of anything but pages. */
#define HEAD_PAGES 37
#define TAIL_PAGES 5

static struct rt_range room;
static uint64_t pages, base; /* base: resident with nothing of the room */

static uint64_t page_at(uint64_t index)
{
	return room.start + index * RT_PAGE_SIZE;
}

static void fill(uint64_t salt)
{
	uint64_t resident;

	for (uint64_t i = 0; i < pages; i++)
		rt_page_fill(page_at(i), salt);
	resident = rt_memory_info(RT_MEMORY_RESIDENT);
	rt_printf("balloon: filled %s: %s resident, %s of tables\n", rt_size_text(room.size).text, rt_size_text(resident).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_TABLES)).text);
	rt_claim(resident >= base + room.size && resident <= base + room.size + RT_OWN_BYTES,
		 "%lu bytes are resident, with %lu before and %lu filled\n", resident, base, room.size);
}

#define LEAST_PIECE 256 /* pages */

/* Discard pages, with their memory, by one flush for each piece of the work, of some 500 pages, and not for each page. */
static void discard(uint64_t first, uint64_t count)
{
	uint64_t before = rt_memory_info(RT_MEMORY_RESIDENT), flushes = rt_memory_info(RT_MEMORY_FLUSHES), after;

	rt_must(RT_CALL_DISCARD, page_at(first), count * RT_PAGE_SIZE, 0);
	after = rt_memory_info(RT_MEMORY_RESIDENT);
	flushes = rt_memory_info(RT_MEMORY_FLUSHES) - flushes;
	rt_printf("balloon: gave back %s: %s resident, %s of tables, %lu flush instructions\n",
		  rt_size_text(count * RT_PAGE_SIZE).text, rt_size_text(after).text,
		  rt_size_text(rt_memory_info(RT_MEMORY_TABLES)).text, flushes);
	rt_claim(before - after == count * RT_PAGE_SIZE, "it was %lu bytes and is %lu\n", before, after);
	rt_claim(flushes <= 4 + count / LEAST_PIECE, "%lu flush instructions\n", flushes);
}

static void check_zero(uint64_t first, uint64_t end)
{
	uint64_t bad = 0;

	for (uint64_t i = first; i < end; i++)
		bad += !rt_page_is_zero(page_at(i));
	rt_claim(bad == 0, "%lu pages do not read as zeros\n", bad);
}

static void check_held(uint64_t first, uint64_t end, uint64_t salt)
{
	uint64_t bad = 0;

	for (uint64_t i = first; i < end; i++)
		bad += !rt_page_holds(page_at(i), salt);
	rt_claim(bad == 0, "%lu pages lost what was written\n", bad);
}

int guest_main(void)
{
	uint64_t promised = rt_memory_info(RT_MEMORY_PROMISED), tables;

	room = rt_take(promised / 2 < 64ul << 20 ? promised / 2 : 64ul << 20);
	pages = room.size / RT_PAGE_SIZE;
	base = rt_memory_info(RT_MEMORY_RESIDENT);
	tables = rt_memory_info(RT_MEMORY_TABLES);
	rt_printf("balloon: promised %s; %s resident, %s of tables\n", rt_size_text(promised).text, rt_size_text(base).text,
		  rt_size_text(tables).text);

	fill(1);
	discard(0, pages);
	rt_claim(rt_memory_info(RT_MEMORY_TABLES) <= tables + RT_OWN_BYTES, "the tables stayed\n");
	check_zero(0, pages);
	rt_claim(rt_memory_info(RT_MEMORY_RESIDENT) <= base + RT_OWN_BYTES, "reading zeros cost memory\n");
	fill(2);
	check_held(0, pages, 2);

	discard(HEAD_PAGES, pages - HEAD_PAGES - TAIL_PAGES);
	check_zero(HEAD_PAGES, pages - TAIL_PAGES);
	check_held(0, HEAD_PAGES, 2);
	check_held(pages - TAIL_PAGES, pages, 2);
	if (rt_claims_status() == 0)
		rt_printf("balloon: what was given back came again as zeros, and nothing else changed\n");
	return rt_claims_status();
}
