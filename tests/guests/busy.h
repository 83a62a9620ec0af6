/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs that are busy, each with something else, until the program ends: with nothing, calls, faults, long calls. */
#ifndef NESTLING_TESTS_GUESTS_BUSY_H
#define NESTLING_TESTS_GUESTS_BUSY_H

#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"

static struct rt_range busy_room;
static uint64_t busy_started;

static inline void busy_spin(void)
{
	for (volatile unsigned i = 0; i < 1000; i++)
		;
}

static inline void busy_call(void)
{
	rt_memory_info(RT_MEMORY_RESIDENT);
	rt_hypercall(99, 0, 0, 0, 0);
}

static inline void busy_fault(void)
{
	for (uint64_t at = 0; at < 64 * RT_PAGE_SIZE; at += RT_PAGE_SIZE)
		*(volatile uint64_t *)(busy_room.start + at) = at;
	rt_hypercall(RT_CALL_DISCARD, busy_room.start, 64 * RT_PAGE_SIZE, 0, 0);
}

static inline void busy_populate(void)
{
	uint64_t half = busy_room.size / 2;

	rt_hypercall(RT_CALL_SET_POLICY, busy_room.start + half, half, RT_POLICY_POPULATE, 0);
	rt_hypercall(RT_CALL_SET_POLICY, busy_room.start + half, half, RT_POLICY_4K, 0);
	rt_hypercall(RT_CALL_DISCARD, busy_room.start + half, half, 0, 0);
}

static inline void busy_cpu(void *unused)
{
	static void (*const ways[])(void) = { busy_spin, busy_fault, busy_call, busy_populate };
	unsigned way = rt_cpu_id() % 4;

	(void)unused;
	rt_atomic_add(&busy_started, 1);
	for (;;)
		ways[way]();
}

/* Have vCPUs `first` to `end` - 1 be so for a while. */
static inline void busy_start(unsigned first, unsigned end)
{
	unsigned tries = 0;

	busy_room = rt_take(4 * RT_BLOCK_SIZE);
	for (unsigned id = first; id < end; id++)
		CHECK(rt_cpu_start(id, busy_cpu, NULL) == 0);
	while (rt_atomic_load(&busy_started) < end - first)
		rt_relax(&tries);
	for (unsigned i = 0; i < 200; i++)
		rt_yield();
}

#endif
