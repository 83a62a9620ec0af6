/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts vCPUs by calls that make no sense, and by good ones again and again: what is refused changes nothing. */
#include "guest/rt/smp.h"
#include "isa.h"
#include "tests/guests/check.h"

#define ROUNDS 100

static uint64_t seen[RT_CPUS], released;

static uint64_t start(uint64_t id, uint64_t entry)
{
	return rt_hypercall(RT_CALL_CPU_START, id, entry, 0, 0);
}

static void refused(unsigned count)
{
	const uint64_t entry = (uintptr_t)guest_main;

	CHECK(start(0, entry) == RT_DENIED); /* that is the one which asks */
	CHECK(start(count, entry) == RT_INVALID);
	CHECK(start(RT_CPUS, entry) == RT_INVALID);
	CHECK(start(0x100000000, entry) == RT_INVALID);
	CHECK(start(0x100000001, entry) == RT_INVALID);
	CHECK(start(0x8000000000000001, entry) == RT_INVALID);
	CHECK(start(~0ul, entry) == RT_INVALID);
	if (count == 1)
		return;
	CHECK(start(1, ram_end()) == RT_INVALID);
	CHECK(start(1, HOLE) == RT_INVALID);
	CHECK(start(1, ~0ul - 3) == RT_INVALID);
	CHECK(start(1, 1ul << 63) == RT_INVALID);
}

/* Tell who this is, by all that tell it, and wait. */
static void hold(void *argument)
{
	unsigned id = rt_cpu_id(), tries = 0;

	CHECK((uintptr_t)argument == 0x1000 + id);
	CHECK(rt_memory_info(RT_MEMORY_CPU) == id);
	rt_atomic_add(&seen[id], 1);
	while (rt_atomic_load(&released) == 0)
		rt_relax(&tries);
}

/* Between start and end it is on, whoever asks. */
static void one_by_one(unsigned count)
{
	for (unsigned id = 1; id < count; id++) {
		unsigned tries = 0;

		rt_atomic_store(&released, 0);
		rt_atomic_store(&seen[id], 0);
		CHECK(rt_cpu_start(id, hold, (void *)(uintptr_t)(0x1000 + id)) == 0);
		CHECK(start(id, (uintptr_t)guest_main) == RT_DENIED);
		while (rt_atomic_load(&seen[id]) == 0)
			rt_relax(&tries);
		CHECK(start(id, (uintptr_t)guest_main) == RT_DENIED);
		CHECK(start(id, HOLE) == RT_DENIED || start(id, HOLE) == RT_INVALID);
		rt_atomic_store(&released, 1);
	}
}

static void count_one(void *counter)
{
	rt_atomic_add(counter, 1);
}

int guest_main(void)
{
	unsigned count = rt_cpu_count();
	uint64_t runs = 0;

	CHECK(count >= 1 && rt_memory_info(RT_MEMORY_CPU) == 0);
	refused(count);
	one_by_one(count);
	for (unsigned round = 0; round < ROUNDS; round++)
		rt_cpu_all(count_one, &runs);
	CHECK(runs == (uint64_t)ROUNDS * count);
	rt_printf("cpu_start: %u vCPUs, %lu starts\n", count, runs - ROUNDS);
	return check_status("cpu_start");
}
