/* SPDX-License-Identifier: BSD-2-Clause */
/* What test guests share: checks that are counted, and fresh pages to use up. */
#ifndef NESTLING_TESTS_GUESTS_CHECK_H
#define NESTLING_TESTS_GUESTS_CHECK_H

#include "guest/rt/rt.h"

static int check_failures;

/* Tell of a condition that does not hold, and go on. */
#define CHECK(condition) check_that(condition, #condition, __LINE__)

static inline void check_that(bool holds, const char *condition, int line)
{
	if (holds)
		return;
	rt_printf("FAILED: line %d: %s\n", line, condition);
	check_failures++;
}

/* The guest's exit status, for its last line. */
static inline int check_status(const char *name)
{
	if (check_failures == 0)
		rt_printf("%s: all as it should be\n", name);
	return check_failures != 0;
}

/* The next of the untouched pages, from the top of the first 64 MiB down. */
static inline void *fresh_page(void)
{
	static uint64_t next;
	uint64_t start = 0, end = 0, limit = rt_ram.range[0].start + (64ul << 20);

	for (size_t i = 0; i < rt_fresh.count && rt_fresh.range[i].start < limit; i++) {
		start = rt_fresh.range[i].start;
		end = start + rt_fresh.range[i].size;
	}
	if (end > limit)
		end = limit;
	next = next ? next - RT_PAGE_SIZE : end - RT_PAGE_SIZE;
	CHECK(next >= start);
	return (void *)next;
}

/* The first address behind all RAM. */
static inline uint64_t ram_end(void)
{
	const struct rt_range *last = &rt_ram.range[rt_ram.count - 1];

	return last->start + last->size;
}

/* Write to one page in each `stride` bytes of untouched RAM, and say how far it went. */
static inline void touch_all(const char *name, uint64_t stride)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < rt_fresh.count; i++)
		for (uint64_t at = 0; at < rt_fresh.range[i].size; at += stride, pages++) {
			*(volatile uint64_t *)(rt_fresh.range[i].start + at) = pages;
			if (pages % 16384 == 0)
				rt_printf("%s: %lu pages written\n", name, pages);
		}
	rt_printf("%s: all %lu pages written\n", name, pages);
}

#endif
