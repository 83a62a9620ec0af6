/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several vCPUs: how they are started, and how they wait for each other. There may be fewer CPUs than vCPUs, so whoever waits
 * gives its CPU away after a while.
 *
 * Each vCPU has a stack, an exception's state (guest/rt/fault.h) and a line buffer of its own, so lines of several do not mix.
 * newlib's functions are for one vCPU at a time; so is what changes rt_fresh.
 */
#ifndef NESTLING_GUEST_RT_SMP_H
#define NESTLING_GUEST_RT_SMP_H

#include "guest/rt/rt.h"

#define RT_CPUS      16 /* most that a VM has */
#define RT_CPU_STACK 16384

/* --- vCPUs -------------------------------------------------------------------------------------------------------- */

/* How many the VM has; those that were never started count. Their ids are 0, where the program begins, and up. */
unsigned rt_cpu_count(void);

/*
 * Have vCPU `id` call `function(argument)`, on a stack of RT_CPU_STACK bytes; when that returns, the vCPU is off and can be started
 * again. What the caller has written is seen there. 0; RT_INVALID: there is no such vCPU; RT_DENIED: it is on; RT_NO_MEMORY.
 */
uint64_t rt_cpu_start(unsigned id, void (*function)(void *argument), void *argument);

/* Stop this vCPU. The program ends when the last one does that. */
_Noreturn void rt_cpu_off(void);

/* Have every vCPU call `function(argument)`, this one too; back when all have returned. The others are off before and after it. */
void rt_cpu_all(void (*function)(void *argument), void *argument);

/* --- Waiting ------------------------------------------------------------------------------------------------------ */

/* One step of a loop that waits for another vCPU; `tries` counts, and begins with 0. */
static inline void rt_relax(unsigned *tries)
{
	if (++*tries % 64 == 0)
		rt_yield();
}

/* Begins as zeros, as all of these do. Not to be taken twice. */
struct rt_lock {
	unsigned held;
};

static inline void rt_lock(struct rt_lock *lock)
{
	for (unsigned tries = 0; __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE);)
		rt_relax(&tries);
}

static inline void rt_unlock(struct rt_lock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* Wait until `count` vCPUs are here. What any of them wrote before is seen by all of them afterwards. */
struct rt_barrier {
	unsigned waiting, round;
};

void rt_barrier(struct rt_barrier *barrier, unsigned count);

/* Counters that several vCPUs change. */
static inline uint64_t rt_atomic_add(uint64_t *counter, uint64_t more)
{
	return __atomic_fetch_add(counter, more, __ATOMIC_SEQ_CST);
}

static inline uint64_t rt_atomic_load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static inline void rt_atomic_store(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_SEQ_CST);
}

/* --- What each ISA offers ----------------------------------------------------------------------------------------- */

/* What a vCPU begins with; guest/rt/<isa>/cpu_entry.S knows the order. */
struct rt_cpu {
	void *stack; /* its end */
	void (*function)(void *argument);
	void *argument;
	uint64_t id;
	uint64_t vectors; /* where exceptions go, as for who has started it */
	unsigned on;      /* it was started, and has not come to its end */
};

extern char rt_stacks[RT_CPUS - 1][RT_CPU_STACK];

/* This vCPU, `self`, is to know who it is: it was alone so far. */
void rt_arch_several(struct rt_cpu *self);
/* Have a vCPU begin at rt_cpu_main(cpu); `vectors` is not filled in yet. */
uint64_t rt_arch_cpu_start(struct rt_cpu *cpu);
void rt_arch_cpu_off(void);
_Noreturn void rt_cpu_main(struct rt_cpu *cpu);

#endif
