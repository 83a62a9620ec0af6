/* SPDX-License-Identifier: BSD-2-Clause */
/* Uses the control page, as devmem would, and as nobody should: its figures and calls are those of the hypercalls. */
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "isa.h"
#include "tests/guests/check.h"

#define PAGE_BYTES  0x1000
#define CALL        0x008
#define RESULT      0x010
#define ARGS        0x020
#define FIGURES     0x100
#define FIGURES_KIB 0x200
#define BLOCK       0x200000ul
#define ROUNDS      300

static struct rt_range room;

/* The address hides from the compiler, which might find an instruction for it that does more than one plain access. */
static uintptr_t at(uint64_t offset)
{
	uintptr_t address = CONTROL_PAGE + offset;

	__asm__ volatile("" : "+r"(address));
	return address;
}

#define ACCESSORS(bits)                                                         \
	static uint##bits##_t read##bits(uint64_t offset)                       \
	{                                                                       \
		return *(volatile uint##bits##_t *)at(offset);                  \
	}                                                                       \
	static void write##bits(uint64_t offset, uint64_t value)                \
	{                                                                       \
		*(volatile uint##bits##_t *)at(offset) = (uint##bits##_t)value; \
	}
ACCESSORS(8)
ACCESSORS(16)
ACCESSORS(32)
ACCESSORS(64)

/* By 32 bits at a time, as a 32-bit program has to. */
static uint64_t call(uint32_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	const uint64_t args[] = { arg0, arg1, arg2 };

	for (unsigned i = 0; i < 3; i++) {
		write32(ARGS + 8 * i, args[i]);
		write32(ARGS + 8 * i + 4, args[i] >> 32);
	}
	write32(CALL, number);
	return read32(RESULT) | (uint64_t)read32(RESULT + 4) << 32;
}

static uint64_t figure(enum rt_memory what)
{
	return read64(FIGURES + 8u * what);
}

static void figures(void)
{
	static const enum rt_memory same[] = { RT_MEMORY_PROMISED, RT_MEMORY_RESIDENT, RT_MEMORY_TABLES, RT_MEMORY_USED,
					       RT_MEMORY_MAX,      RT_MEMORY_VCPUS,    RT_MEMORY_CPU,    RT_MEMORY_FORKS_LIVE };

	CHECK(read32(0) == 0x4c54534e && read32(4) == 1);
	for (unsigned i = 0; i < sizeof(same) / sizeof(*same); i++) {
		uint64_t value = rt_memory_info(same[i]);

		CHECK(figure(same[i]) == value);
		CHECK(read32(FIGURES + 8u * same[i]) == (uint32_t)value);
		CHECK(read32(FIGURES + 8u * same[i] + 4) == value >> 32);
		CHECK(read64(FIGURES_KIB + 8u * same[i]) == value / 1024);
	}
	CHECK(figure(RT_MEMORY_CPU_TIME) >= 1);
	CHECK(read64(FIGURES + 8 * 31) == 0 && read64(FIGURES_KIB + 8 * 31) == 0 && read64(0xff8) == 0);
}

static void discard(void)
{
	volatile uint64_t *word = (volatile uint64_t *)room.start;
	uint64_t before = figure(RT_MEMORY_RESIDENT);

	*word = 42;
	CHECK(figure(RT_MEMORY_RESIDENT) == before + RT_PAGE_SIZE);
	CHECK(call(RT_CALL_DISCARD, room.start, RT_PAGE_SIZE, 0) == 0);
	CHECK(figure(RT_MEMORY_RESIDENT) == before);
	CHECK(*word == 0);
	/* In pieces. */
	for (uint64_t at = 0; at < room.size; at += 2 * RT_PAGE_SIZE)
		*(volatile uint64_t *)(room.start + at) = at + 1;
	CHECK(figure(RT_MEMORY_RESIDENT) >= before + room.size / 2);
	CHECK(call(RT_CALL_DISCARD, room.start, room.size, 0) == 0);
	CHECK(figure(RT_MEMORY_RESIDENT) <= before);
	for (uint64_t at = 0; at < room.size; at += 2 * RT_PAGE_SIZE)
		CHECK(*(volatile uint64_t *)(room.start + at) == 0);
	/* The result of a hypercall is not the page's. */
	call(RT_CALL_DISCARD, room.start + 1, room.size, 0);
	for (uint64_t at = 0; at < room.size; at += RT_PAGE_SIZE)
		*(volatile uint64_t *)(room.start + at) = 1;
	CHECK(rt_hypercall(RT_CALL_DISCARD, room.start, room.size, 0, 0) == 0);
	CHECK(read64(RESULT) == RT_INVALID);
}

static void policy(void)
{
	uint64_t before = figure(RT_MEMORY_RESIDENT);

	call(RT_CALL_DISCARD, room.start, room.size, 0);
	CHECK(call(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_2M) == 0);
	*(volatile uint64_t *)room.start = 1;
	CHECK(figure(RT_MEMORY_RESIDENT) == before + BLOCK);
	CHECK(call(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_4K) == 0);
	CHECK(call(RT_CALL_DISCARD, room.start, room.size, 0) == 0);
}

/* EXIT is not tried with anything. */
static void refusals(void)
{
	const uint64_t end = ram_end(), page = RT_PAGE_SIZE;

	*(volatile uint64_t *)room.start = 7;
	CHECK(call(RT_CALL_DISCARD, room.start + 1, page, 0) == RT_INVALID);
	CHECK(call(RT_CALL_DISCARD, room.start, page - 1, 0) == RT_INVALID);
	CHECK(call(RT_CALL_DISCARD, room.start, 0, 0) == RT_INVALID);
	CHECK(call(RT_CALL_DISCARD, end, page, 0) == RT_INVALID);
	CHECK(call(RT_CALL_DISCARD, end - page, 2 * page, 0) == RT_INVALID);
	CHECK(call(RT_CALL_DISCARD, room.start, -page, 0) == RT_INVALID);
	CHECK(call(RT_CALL_DISCARD, CONTROL_PAGE, page, 0) == RT_INVALID);
	CHECK(call(RT_CALL_SET_POLICY, room.start, page, RT_POLICIES) == RT_INVALID);
	for (uint32_t number = 0; number < 70; number++)
		if (number != RT_CALL_EXIT && number != RT_CALL_DISCARD && number != RT_CALL_SET_POLICY && number != RT_CALL_FORK)
			CHECK(call(number, room.start, page, 0) == RT_NOT_SUPPORTED);
	CHECK(call(1u << 31, room.start, page, 0) == RT_NOT_SUPPORTED);
	write64(CALL, 1ul << 32 | RT_CALL_DISCARD);
	CHECK(read64(RESULT) == RT_NOT_SUPPORTED);
	/* The upper half alone makes no call. */
	CHECK(call(RT_CALL_DISCARD, room.start + 1, page, 0) == RT_INVALID);
	write32(CALL + 4, 1);
	CHECK(read64(RESULT) == RT_INVALID);
	CHECK(*(volatile uint64_t *)room.start == 7);
}

/* Every access of every size that the CPU makes by itself; what is no register's keeps none. */
static void wild_accesses(void)
{
	const uint64_t value = 0xa5a5a5a5a5a5a5a5;

	write64(ARGS, 0);
	for (uint64_t offset = 0; offset < PAGE_BYTES; offset++) {
		write8(offset, value);
		CHECK(read8(offset) == 0);
	}
	for (uint64_t offset = 0; offset < PAGE_BYTES; offset += 2) {
		write16(offset, value);
		CHECK(read16(offset) == 0);
	}
	CHECK(read64(ARGS) == 0);
	for (uint64_t offset = 0; offset < PAGE_BYTES; offset += 4) {
		bool kept = (offset >= ARGS && offset < ARGS + 32) || offset == CALL;

		write32(offset, value);
		CHECK((read32(offset) == (uint32_t)value) == kept);
	}
	for (uint64_t offset = 0; offset < PAGE_BYTES; offset += 8)
		write64(offset, value);
	CHECK(read64(ARGS) == value && read64(ARGS + 24) == value && read64(ARGS + 32) == 0);
	CHECK(read64(RESULT) == RT_NOT_SUPPORTED);
}

/* Several vCPUs share the page's arguments and its result: what comes of a mix is a call that one of them could have made. */
static void mix(void *argument)
{
	uint64_t state = rt_cpu_id() + 1;

	(void)argument;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t first = room.start + rt_random(&state) % (room.size / BLOCK - 1) * BLOCK;
		uint64_t size = rt_random(&state) % 2 * BLOCK + BLOCK, found;

		*(volatile uint64_t *)first = first;
		CHECK(call(i % 2 ? RT_CALL_DISCARD : RT_CALL_SET_POLICY, first, size, RT_POLICY_4K) == 0);
		found = *(volatile uint64_t *)first;
		CHECK(found == 0 || found == first);
	}
}

int guest_main(void)
{
	uint64_t child;

	room = rt_take(8 * BLOCK);
	CHECK(room.size == 8 * BLOCK);
	figures();
	discard();
	policy();
	refusals();
	wild_accesses();
	rt_cpu_all(mix, NULL);
	/* A fork has a page of its own, of which it has just used the parent's. */
	write64(ARGS, 4711);
	child = rt_fork();
	CHECK(!rt_is_error(child) && read64(ARGS) == 4711);
	CHECK(call(RT_CALL_DISCARD, room.start, child == 0 ? RT_PAGE_SIZE : 1, 0) == (child == 0 ? 0 : RT_INVALID));
	if (check_status("control") == 0)
		call(RT_CALL_EXIT, child == 0 ? 0 : 42, 0, 0);
	return 1;
}
