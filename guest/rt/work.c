/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages to work on, patterns for them, claims that may fail. */
#include "guest/rt/work.h"

#define PAGE_WORDS (RT_PAGE_SIZE / sizeof(uint64_t))

/* --- Memory ------------------------------------------------------------------------------------------------------- */

/* The highest place for `bytes` in fresh memory, aligned to a block; 0 if there is none. */
static uint64_t find_room(uint64_t bytes)
{
	for (size_t i = rt_fresh.count; i-- > 0;) {
		const struct rt_range *range = &rt_fresh.range[i];
		uint64_t end = (range->start + range->size) & ~(RT_BLOCK_SIZE - 1);

		if (end >= range->start + bytes)
			return end - bytes;
	}
	return 0;
}

struct rt_range rt_take(uint64_t bytes)
{
	struct rt_range range = { 0, bytes & ~(RT_BLOCK_SIZE - 1) };

	while (range.size && (range.start = find_room(range.size)) == 0)
		range.size = range.size / 2 & ~(RT_BLOCK_SIZE - 1);
	if (range.size == 0) {
		rt_printf("FAILED: there is no block of 2 MiB to work on\n");
		rt_exit(1);
	}
	rt_reserve(range.start, range.start + range.size);
	rt_must(RT_CALL_DISCARD, range.start, range.size, 0);
	return range;
}

uint64_t rt_fresh_pages(void)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < rt_fresh.count; i++)
		pages += rt_fresh.range[i].size / RT_PAGE_SIZE;
	return pages;
}

uint64_t rt_fresh_page(uint64_t index)
{
	const struct rt_range *range = rt_fresh.range;

	for (; index >= range->size / RT_PAGE_SIZE; range++)
		index -= range->size / RT_PAGE_SIZE;
	return range->start + index * RT_PAGE_SIZE;
}

/* --- Claims ------------------------------------------------------------------------------------------------------- */

enum { CLAIMS_TOLD = 20 };

static unsigned failures;

bool rt_claim_at(bool holds, const char *claim, const char *fmt, ...)
{
	va_list args;

	if (holds || failures++ >= CLAIMS_TOLD)
		return holds;
	rt_printf("FAILED: %s: ", claim);
	va_start(args, fmt);
	rt_vprintf(fmt, args);
	va_end(args);
	return false;
}

void rt_must_at(const char *what, enum rt_call call, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	uint64_t result = rt_hypercall(call, arg0, arg1, arg2, 0);

	rt_claim_at(result == 0, what, "with 0x%lx, 0x%lx, %lu it gave %ld, not 0\n", arg0, arg1, arg2, (long)result);
}

int rt_claims_status(void)
{
	return failures != 0;
}

/* --- Content ------------------------------------------------------------------------------------------------------ */

/* Marsaglia, "Xorshift RNGs". */
uint64_t rt_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 11;
}

/* Multiplication by an odd number loses nothing. */
static uint64_t pattern(const volatile uint64_t *word, uint64_t salt)
{
	return ((uintptr_t)word + salt) * 0x9e3779b97f4a7c15;
}

void rt_page_fill(uint64_t page, uint64_t salt)
{
	volatile uint64_t *words = (volatile uint64_t *)page;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		words[i] = pattern(&words[i], salt);
}

bool rt_page_holds(uint64_t page, uint64_t salt)
{
	volatile uint64_t *words = (volatile uint64_t *)page;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (words[i] != pattern(&words[i], salt))
			return false;
	return true;
}

bool rt_page_is_zero(uint64_t page)
{
	volatile uint64_t *words = (volatile uint64_t *)page;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (words[i] != 0)
			return false;
	return true;
}

void rt_page_clear(uint64_t page)
{
	volatile uint64_t *words = (volatile uint64_t *)page;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		words[i] = 0;
}
