/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the calls that change memory, with arguments that make no sense: each is refused, and changes nothing. */
#include "guest/rt/work.h"
#include "isa.h"
#include "tests/guests/check.h"

static struct rt_range room;
static volatile uint64_t *page; /* holds 42, and the pages around it too */
static uint64_t *bitmap;

static uint64_t call(enum rt_call number, uint64_t gpa, uint64_t size, uint64_t arg, uint64_t more)
{
	return rt_hypercall(number, gpa, size, arg, more);
}

/* Ranges that are no range of RAM, for a call that is fine otherwise. */
static void bad_ranges(enum rt_call number, uint64_t arg, uint64_t more)
{
	const uint64_t at = (uintptr_t)page, end = ram_end(), huge = 1ul << 63;
	const struct rt_range ranges[] = {
		{ at + 1, RT_PAGE_SIZE },
		{ at, RT_PAGE_SIZE + 1 },
		{ at, 1 },
		{ at + 8, RT_PAGE_SIZE - 8 },
		{ end, RT_PAGE_SIZE },
		{ end - RT_PAGE_SIZE, 2 * RT_PAGE_SIZE },
		{ HOLE, RT_PAGE_SIZE },
		{ huge, RT_PAGE_SIZE },
		{ at, huge },
		{ at, -at },
		{ at, -RT_PAGE_SIZE },
		{ -(uint64_t)RT_PAGE_SIZE, RT_PAGE_SIZE },
		{ -(uint64_t)RT_PAGE_SIZE, 2 * RT_PAGE_SIZE },
		{ 1ul << 56, RT_PAGE_SIZE },
		{ ~0ul, ~0ul },
		{ ~0ul, 1 },
		{ at, end },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		uint64_t result = call(number, ranges[i].start, ranges[i].size, arg, more);

		if (result != RT_INVALID)
			rt_printf("call %u, range %zu, 0x%lx and 0x%lx: %ld\n", (unsigned)number, i, ranges[i].start,
				  ranges[i].size, (long)result);
		CHECK(result == RT_INVALID);
	}
}

static void bad_values(void)
{
	const uint64_t at = (uintptr_t)page;

	CHECK(call(RT_CALL_PROTECT, at, RT_PAGE_SIZE, 8, 0) == RT_INVALID);
	CHECK(call(RT_CALL_PROTECT, at, RT_PAGE_SIZE, 0xf, 0) == RT_INVALID);
	CHECK(call(RT_CALL_PROTECT, at, RT_PAGE_SIZE, 0x100000007, 0) == RT_INVALID);
	CHECK(call(RT_CALL_PROTECT, at, RT_PAGE_SIZE, ~0ul, 0) == RT_INVALID);
	CHECK(call(RT_CALL_PROTECT, at, RT_PAGE_SIZE, RT_WRITE, 0) == RT_INVALID);
	CHECK(call(RT_CALL_SET_POLICY, at, RT_PAGE_SIZE, RT_POLICIES, 0) == RT_INVALID);
	CHECK(call(RT_CALL_SET_POLICY, at, RT_PAGE_SIZE, 0x100000000, 0) == RT_INVALID);
	CHECK(call(RT_CALL_SET_POLICY, at, RT_PAGE_SIZE, ~0ul, 0) == RT_INVALID);
	CHECK(call(RT_CALL_FAULT_MODE, 2, 0, 0, 0) == RT_INVALID);
	CHECK(call(RT_CALL_FAULT_MODE, 0x100000001, 0, 0, 0) == RT_INVALID);
	CHECK(call(RT_CALL_FAULT_MODE, ~0ul, 0, 0, 0) == RT_INVALID);
}

static uint64_t track(uint64_t size, uint64_t what, uint64_t to)
{
	return call(RT_CALL_TRACK, room.start, size, what, to);
}

static void bad_tracking(void)
{
	const uint64_t size = RT_BLOCK_SIZE, to = (uintptr_t)bitmap;

	CHECK(track(size, 3, to) == RT_INVALID);
	CHECK(track(size, 0x100000000, to) == RT_INVALID);
	CHECK(track(size, ~0ul, to) == RT_INVALID);
	CHECK(track(RT_TRACK_MAX + RT_PAGE_SIZE, RT_TRACK_DIRTY, to) == RT_INVALID);
	CHECK(track(~0ul << 12, RT_TRACK_DIRTY, to) == RT_INVALID);
	/* Bitmaps that are nowhere, or in part. */
	CHECK(track(size, RT_TRACK_DIRTY, ram_end()) == RT_INVALID);
	CHECK(track(RT_TRACK_MAX, RT_TRACK_DIRTY, ram_end() - 8) == RT_INVALID);
	CHECK(track(size, RT_TRACK_DIRTY, HOLE) == RT_INVALID);
	CHECK(track(size, RT_TRACK_DIRTY, 1ul << 63) == RT_INVALID);
	CHECK(track(size, RT_TRACK_DIRTY, ~0ul - 7) == RT_INVALID);
}

/* What the guest has forbidden itself, the hypervisor does not do for it. */
static void forbidden(void)
{
	const uint64_t at = (uintptr_t)bitmap;

	CHECK(call(RT_CALL_PROTECT, at, RT_PAGE_SIZE, RT_READ, 0) == 0);
	CHECK(track(RT_BLOCK_SIZE, RT_TRACK_ACCESSED, at) == RT_DENIED);
	CHECK(call(RT_CALL_CONSOLE_WRITE, at, 0, 0, 0) == 0);
	CHECK(call(RT_CALL_PROTECT, at, RT_PAGE_SIZE, RT_READ | RT_WRITE | RT_EXECUTE, 0) == 0);
}

int guest_main(void)
{
	uint64_t resident;

	room = rt_take(2 * RT_BLOCK_SIZE);
	bitmap = (uint64_t *)rt_take(RT_BLOCK_SIZE).start;
	page = (volatile uint64_t *)(room.start + RT_BLOCK_SIZE);
	for (unsigned i = 0; i < 16; i++)
		page[i * 512] = page[-(int)i * 512 - 512] = 42;
	bitmap[0] = 0;
	resident = rt_memory_info(RT_MEMORY_RESIDENT);

	bad_ranges(RT_CALL_DISCARD, 0, 0);
	bad_ranges(RT_CALL_PROTECT, RT_READ, 0);
	bad_ranges(RT_CALL_SET_POLICY, RT_POLICY_2M, 0);
	bad_ranges(RT_CALL_TRACK, RT_TRACK_ACCESSED, ~0ul);
	bad_ranges(RT_CALL_TRACK, RT_TRACK_DIRTY_EXACT, (uintptr_t)bitmap);
	bad_values();
	bad_tracking();
	forbidden();

	for (unsigned i = 0; i < 16; i++)
		CHECK(page[i * 512] == 42 && page[-(int)i * 512 - 512] == 42);
	for (unsigned i = 0; i < 16; i++)
		page[i * 512] = 43;
	CHECK(rt_memory_info(RT_MEMORY_RESIDENT) - resident <= RT_OWN_BYTES);
	CHECK(rt_hypercall(RT_CALL_FAULT_MODE, RT_FAULT_END, ~0ul, ~0ul, ~0ul) == RT_FAULT_END);
	return check_status("hostile_calls");
}
