/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uses translations that the CPU holds, right after the hypervisor has changed what they stand for: after permissions were
 * taken away, memory was given back, shared, copied, or mapped by other leaves. A flush that is missing shows as old data,
 * a lost write or a permission that is still there. All of it is done through one address, and again through two.
 */
#include "alias.h"
#include "guest/rt/fault.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"

#define BLOCK_PAGES (RT_BLOCK_SIZE / RT_PAGE_SIZE)
#define ROUNDS      8

static uint64_t block; /* 2 MiB */
static unsigned views; /* how many addresses each page has */

/* A word of a page by one of its addresses. */
static volatile uint64_t *word(unsigned page, unsigned view)
{
	volatile uint64_t *at = (volatile uint64_t *)(block + page * RT_PAGE_SIZE);

	return view ? alias(at) : at;
}

/* Write through every address, so that the CPU has a translation that allows it. */
static void heat(unsigned page, uint64_t value)
{
	for (unsigned round = 0; round < 4; round++)
		for (unsigned view = 0; view < views; view++)
			*word(page, view) = value;
	for (unsigned view = 0; view < views; view++)
		CHECK(*word(page, view) == value);
}

static void call(enum rt_call number, unsigned page, unsigned pages, uint64_t arg)
{
	CHECK(rt_hypercall(number, block + page * RT_PAGE_SIZE, pages * RT_PAGE_SIZE, arg, 0) == 0);
}

static void start(enum rt_policy policy)
{
	call(RT_CALL_DISCARD, 0, BLOCK_PAGES, 0);
	call(RT_CALL_SET_POLICY, 0, BLOCK_PAGES, policy);
}

/* --- Each change -------------------------------------------------------------------------------------------------- */

static void discard(unsigned view)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		heat(round, 0x1000 + round);
		call(RT_CALL_DISCARD, round, 1, 0);
		CHECK(*word(round, view) == 0);
		CHECK(*word(round, views - 1 - view) == 0);
		/* The zeros are hot now: a write must not be missed by the other address. */
		*word(round, view) = 7;
		CHECK(*word(round, views - 1 - view) == 7);
		CHECK(word(round, view)[1] == 0);
	}
}

static void write_word(volatile uint64_t *at)
{
	*at = 0xbad;
}

static void run_code(volatile uint64_t *at)
{
	((void (*)(void))(uintptr_t)at)();
}

static void narrow(unsigned view)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		heat(round, 0x2000 + round);
		call(RT_CALL_PROTECT, round, 1, RT_READ);
		CHECK(!rt_attempt(write_word, word(round, view)));
		CHECK(!rt_attempt(write_word, word(round, views - 1 - view)));
		CHECK(*word(round, view) == 0x2000 + round);
		call(RT_CALL_PROTECT, round, 1, RT_READ | RT_WRITE | RT_EXECUTE);
		heat(round, 0x2100 + round);
	}
}

static void narrow_execution(unsigned view)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		rt_write_function(word(round, 0));
		for (unsigned i = 0; i < views; i++)
			CHECK(rt_attempt(run_code, word(round, i)));
		call(RT_CALL_PROTECT, round, 1, RT_READ | RT_WRITE);
		CHECK(!rt_attempt(run_code, word(round, view)));
		CHECK(!rt_attempt(run_code, word(round, views - 1 - view)));
		call(RT_CALL_PROTECT, round, 1, RT_READ | RT_WRITE | RT_EXECUTE);
		CHECK(rt_attempt(run_code, word(round, view)));
	}
}

/* A leaf of 2 MiB of which a single page is taken, in either way; its neighbours are hot too. */
static void split(unsigned view)
{
	start(RT_POLICY_2M);
	for (unsigned page = 0; page < BLOCK_PAGES; page++)
		heat(page, 0x3000 + page);
	CHECK(rt_memory_info(RT_MEMORY_LARGE) >= RT_BLOCK_SIZE);
	call(RT_CALL_PROTECT, 100, 1, RT_READ);
	CHECK(!rt_attempt(write_word, word(100, view)));
	call(RT_CALL_DISCARD, 200, 1, 0);
	CHECK(*word(200, view) == 0);
	call(RT_CALL_PROTECT, 100, 1, RT_READ | RT_WRITE | RT_EXECUTE);
	*word(200, view) = 0x3000 + 200;
	for (unsigned page = 0; page < BLOCK_PAGES; page++)
		CHECK(*word(page, view) == 0x3000 + page);
	/* It may be one leaf again by now: the CPU must not write to what it was before. */
	for (unsigned page = 0; page < BLOCK_PAGES; page++) {
		*word(page, view) = page;
		CHECK(*word(page, views - 1 - view) == page);
	}
}

/* A block that is filled page by page, and becomes one leaf in other memory on the way. */
static void promote(unsigned view)
{
	start(RT_POLICY_AUTO);
	for (unsigned page = 0; page < BLOCK_PAGES; page++) {
		heat(page, page + 1);
		*word(page / 2, view) = 0x4000 + page / 2;
		CHECK(*word(page / 2, views - 1 - view) == 0x4000 + page / 2);
	}
	for (unsigned page = 0; page < BLOCK_PAGES; page++)
		CHECK(*word(page, view) == (page < BLOCK_PAGES / 2 ? 0x4000 + page : page + 1));
}

/* --- Tracking ----------------------------------------------------------------------------------------------------- */

static uint64_t *bitmap;

static bool is_told(enum rt_track what, unsigned page)
{
	memset(bitmap, 0, RT_PAGE_SIZE);
	CHECK(rt_hypercall(RT_CALL_TRACK, block, RT_BLOCK_SIZE, what, (uintptr_t)bitmap) <= BLOCK_PAGES);
	return bitmap[page / 64] >> page % 64 & 1;
}

/* Marks that were taken must come again with the next access, although the translation was hot when they were. */
static void track(unsigned view)
{
	start(RT_POLICY_4K);
	for (unsigned round = 0; round < ROUNDS; round++) {
		heat(round, round);
		CHECK(is_told(RT_TRACK_DIRTY, round));
		CHECK(is_told(RT_TRACK_ACCESSED, round));
		CHECK(!is_told(RT_TRACK_DIRTY, round));
		*word(round, view) = 1;
		CHECK(is_told(RT_TRACK_DIRTY, round));
		CHECK(is_told(RT_TRACK_ACCESSED, round));
		CHECK(!is_told(RT_TRACK_ACCESSED, round));
		(void)*word(round, view);
		CHECK(is_told(RT_TRACK_ACCESSED, round));
		CHECK(!is_told(RT_TRACK_DIRTY, round));
	}
}

/* --- Fork --------------------------------------------------------------------------------------------------------- */

static void child_checks(unsigned view, uint64_t base)
{
	for (unsigned page = 0; page < ROUNDS; page++) {
		CHECK(*word(page, view) == base + page);
		heat(page, 0x6000 + page);
	}
	for (unsigned page = 0; page < BLOCK_PAGES; page++)
		CHECK(*word(page, view) == (page < ROUNDS ? 0x6000 : base) + page);
	rt_exit((uint64_t)check_status("stale: child"));
}

/* The parent's hot writes after a fork are its own: the child, which runs later, finds what was there at the fork. */
static void fork(unsigned view, enum rt_policy policy, uint64_t base)
{
	start(policy);
	for (unsigned page = 0; page < BLOCK_PAGES; page++)
		heat(page, base + page);
	if (rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0) == 0)
		child_checks(view, base);
	for (unsigned page = 0; page < BLOCK_PAGES; page++) {
		*word(page, view) = 0x7000 + page;
		CHECK(*word(page, views - 1 - view) == 0x7000 + page);
	}
}

static void all(unsigned view)
{
	start(RT_POLICY_4K);
	discard(view);
	narrow(view);
	narrow_execution(view);
	split(view);
	promote(view);
	track(view);
	fork(view, RT_POLICY_4K, 0x5000);
	fork(view, RT_POLICY_2M, 0x5800);
}

int guest_main(void)
{
	block = rt_take(RT_BLOCK_SIZE).start;
	bitmap = (uint64_t *)rt_take(RT_BLOCK_SIZE).start;
	rt_fault_init();
	CHECK(rt_hypercall(RT_CALL_FAULT_MODE, RT_FAULT_INJECT, 0, 0, 0) == RT_FAULT_END);
	views = 1;
	all(0);
	views = 2;
	alias_init(block);
	all(0);
	all(1);
	return check_status("stale");
}
