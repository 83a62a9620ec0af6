/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes permissions away from single pages, with their translations hot, and has the platform's own exception raised where
 * it then does what it may not. Without the asking, the first of these would end the run with outcome "denied".
 */
#include "guest/rt/fault.h"
#include "guest/rt/work.h"

#define PAGES 64
#define RW    (RT_READ | RT_WRITE)
#define RX    (RT_READ | RT_EXECUTE)
#define RWX   (RW | RT_EXECUTE)

static struct rt_range room;
static unsigned faults;

static volatile uint64_t *page_at(unsigned index)
{
	return (volatile uint64_t *)(room.start + index * RT_PAGE_SIZE);
}

static void read_word(volatile uint64_t *at)
{
	(void)*at;
}

static void write_word(volatile uint64_t *at)
{
	*at = ~*at;
}

static void run_code(volatile uint64_t *at)
{
	((void (*)(void))(uintptr_t)at)();
}

/* Every other page, so that neighbours show what was not meant. */
static bool is_narrowed(unsigned index)
{
	return index % 2 == 0;
}

static void narrow(unsigned permissions)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (is_narrowed(i))
			rt_must(RT_CALL_PROTECT, (uintptr_t)page_at(i), RT_PAGE_SIZE, permissions);
}

/* What the exception tells must be so, where it tells. */
static void check_fault(unsigned access, const volatile uint64_t *at)
{
	struct rt_fault fault = rt_fault_last();

	faults++;
	rt_claim((fault.access == 0 && fault.address == RT_UNKNOWN) || (fault.access == access && fault.address == (uintptr_t)at),
		 "%s tells of access %u at 0x%lx, it was %u at 0x%lx\n", fault.name, fault.access, fault.address, access,
		 (uint64_t)(uintptr_t)at);
}

/* Do the same to all pages: those that were narrowed must refuse it, the others must not. */
static void try_all(const char *what, unsigned access, void (*how)(volatile uint64_t *at), unsigned permissions)
{
	unsigned before = faults, expected = 0;

	narrow(permissions);
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t value = *page_at(i);
		bool allowed = (permissions & access) || !is_narrowed(i);

		expected += !allowed;
		if (!rt_attempt(how, page_at(i)))
			check_fault(access, page_at(i));
		rt_claim(access == RT_WRITE && allowed ? *page_at(i) == ~value : *page_at(i) == value,
			 "%s: page %u changed, or did not\n", what, i);
		if (access == RT_WRITE && allowed)
			*page_at(i) = value;
	}
	rt_claim(faults - before == expected, "%s: %u exceptions, %u were expected\n", what, faults - before, expected);
	rt_printf("protect: %-30s %2u exceptions%s%s\n", what, faults - before, expected ? ", the last: " : "",
		  expected ? rt_fault_last().name : "");
}

int guest_main(void)
{
	uint64_t mode;

	room = rt_take(RT_BLOCK_SIZE);
	rt_fault_init();
	mode = rt_hypercall(RT_CALL_FAULT_MODE, RT_FAULT_INJECT, 0, 0, 0);
	rt_claim(mode == RT_FAULT_END, "the fault mode was %ld\n", (long)mode);
	for (unsigned i = 0; i < PAGES; i++)
		rt_write_function(page_at(i));

	try_all("nothing is forbidden: run", RT_EXECUTE, run_code, RWX);
	try_all("read-only: write", RT_WRITE, write_word, RT_READ);
	try_all("read-only: read", RT_READ, read_word, RT_READ);
	try_all("not executable: run", RT_EXECUTE, run_code, RW);
	try_all("not executable: write", RT_WRITE, write_word, RW);
	try_all("not writable: run", RT_EXECUTE, run_code, RX);
	try_all("not writable: write", RT_WRITE, write_word, RX);
	try_all("all is allowed again: write", RT_WRITE, write_word, RWX);
	try_all("all is allowed again: run", RT_EXECUTE, run_code, RWX);
	if (rt_claims_status() == 0)
		rt_printf("protect: %u forbidden accesses, each an exception of its own, and no other\n", faults);
	return rt_claims_status();
}
