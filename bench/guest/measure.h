/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guests here share, which measure from inside what events cost: each is timed by the CPU's own counter, which bench/run
 * makes count instructions. A line for each kind of event, one JSON object after "bench: ":
 *
 *   events, total, median   ticks of the counter from before to after each event, summed and in the middle; one event may be
 *                           about many pages
 *   loop                    the same sum where the event has nothing left to do: what to take off for the loop and the counter
 *   faults                  nested faults that the events raised
 *   pages, resident         pages touched, and bytes of host memory that this cost
 *   phase, profiled         how many events were run between mark(phase) and the next mark, for a profiler to watch: more of the
 *                           same, or those of a sequence themselves
 */
#ifndef NESTLING_BENCH_MEASURE_H
#define NESTLING_BENCH_MEASURE_H

#include "guest/rt/rt.h"
#include "isa.h"

enum {
	EVENTS = 4096,
	PROFILED = 64,
};

/* Numbers of mark(); 0 to 2 are the profiler's own. */
enum {
	PHASE_NONE = 0, /* of what happens once: nobody watches */
	PHASE_IDLE = 3,
	PHASE_FIRST,
};

/* One event; `i` counts from 0. */
typedef void (*bench_event)(uint64_t i);

struct result {
	uint64_t total, median, faults, resident;
};

static uint64_t samples[EVENTS];

static inline void sort(uint64_t *values, size_t count)
{
	for (size_t gap = count / 2; gap > 0; gap /= 2)
		for (size_t i = gap; i < count; i++)
			for (size_t j = i; j >= gap && values[j - gap] > values[j]; j -= gap) {
				uint64_t value = values[j];

				values[j] = values[j - gap];
				values[j - gap] = value;
			}
}

static inline struct result measure(uint64_t first, uint64_t count, bench_event event)
{
	uint64_t faults = rt_memory_info(RT_MEMORY_FAULTS), resident = rt_memory_info(RT_MEMORY_RESIDENT);
	struct result result = { 0 };

	for (uint64_t i = 0; i < count; i++) {
		uint64_t before = counter();

		event(first + i);
		samples[i] = counter() - before;
	}
	result.faults = rt_memory_info(RT_MEMORY_FAULTS) - faults;
	result.resident = rt_memory_info(RT_MEMORY_RESIDENT) - resident;
	for (uint64_t i = 0; i < count; i++)
		result.total += samples[i];
	sort(samples, count);
	result.median = samples[count / 2];
	return result;
}

static inline void print_event(const char *name, unsigned phase, unsigned profiled, unsigned events, const struct result *result,
			       uint64_t loop, uint64_t pages)
{
	rt_printf("bench: {\"name\":\"%s\",\"phase\":%u,\"profiled\":%u,\"events\":%u,\"tick\":%u,\"total\":%lu,", name, phase,
		  profiled, events, COUNTER_TICK, result->total);
	rt_printf("\"median\":%lu,\"loop\":%lu,\"pages\":%lu,\"faults\":%lu,\"resident\":%lu}\n", result->median, loop, pages,
		  result->faults, result->resident);
}

/* PROFILED more events, from number `first` on, that only a profiler watches. The phase is part of an instruction. */
#define PROFILE(phase, first, event)                       \
	do {                                               \
		watch();                                   \
		mark(phase);                               \
		for (uint64_t i_ = 0; i_ < PROFILED; i_++) \
			event((first) + i_);               \
		mark(PHASE_IDLE);                          \
		watch();                                   \
	} while (0)

static inline void nothing(uint64_t i)
{
	(void)i;
}

#endif
