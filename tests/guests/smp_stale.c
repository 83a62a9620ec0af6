/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU uses a translation without ever leaving the guest, while another one has it removed or narrowed: when that call returns,
 * the translation must be gone. So must the way to write to a page that a fork shares.
 */
#include "guest/rt/fault.h"
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"

#define ROUNDS 50
#define VALUE  0x600d600d600d600d
#define OTHER  0x0bad0bad0bad0bad /* in frames that may be those which were given back */
#define REUSED 32

static struct rt_range room;
static volatile uint64_t *word;
/* The watcher is at work; the owner's call has returned; the watcher has seen that. */
static uint64_t hot, done, seen, wrong, odd;

static void wait_for(uint64_t *flag)
{
	for (unsigned tries = 0; rt_atomic_load(flag) == 0;)
		rt_relax(&tries);
}

static void begin(void (*function)(void *argument), void *argument)
{
	rt_atomic_store(&hot, 0);
	rt_atomic_store(&done, 0);
	rt_atomic_store(&seen, 0);
	while (rt_cpu_start(1, function, argument) == RT_DENIED)
		rt_yield();
	wait_for(&hot);
	/* So that it really spins, on one CPU too. */
	rt_yield();
	for (volatile unsigned i = 0; i < 2000; i++)
		;
}

static void call(enum rt_call number, uint64_t argument)
{
	CHECK(rt_hypercall(number, (uintptr_t)word & ~(uint64_t)(RT_PAGE_SIZE - 1), RT_PAGE_SIZE, argument, 0) == 0);
}

/* --- Discard ------------------------------------------------------------------------------------------------------ */

/* What is read after the owner's call has returned is not what was there before. */
static void watch(void *unused)
{
	uint64_t value, over;

	(void)unused;
	__atomic_store_n(&hot, 1, __ATOMIC_SEQ_CST);
	do {
		over = __atomic_load_n(&done, __ATOMIC_SEQ_CST);
		value = *word;
		if (value != VALUE && value != 0)
			odd++;
	} while (!over);
	if (value != 0)
		wrong++;
	rt_atomic_store(&seen, 1);
}

static void discard_round(unsigned round, enum rt_policy policy)
{
	struct rt_range others = { room.start + RT_BLOCK_SIZE, RT_BLOCK_SIZE };

	rt_must(RT_CALL_DISCARD, room.start, room.size, 0);
	rt_must(RT_CALL_SET_POLICY, room.start, room.size, policy);
	word = (volatile uint64_t *)(room.start + round % 512 * RT_PAGE_SIZE);
	*word = VALUE;
	begin(watch, NULL);
	call(RT_CALL_DISCARD, 0);
	__atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < REUSED; i++)
		*(volatile uint64_t *)(others.start + i * RT_PAGE_SIZE) = OTHER;
	wait_for(&seen);
}

/* --- Protect ------------------------------------------------------------------------------------------------------ */

static void write_on(volatile uint64_t *at)
{
	__atomic_store_n(&hot, 1, __ATOMIC_SEQ_CST);
	for (uint64_t value = 1;; value++)
		*at = value;
}

static void writer(void *unused)
{
	(void)unused;
	CHECK(!rt_attempt(write_on, word));
	rt_atomic_store(&seen, 1);
}

static void protect_round(unsigned round)
{
	uint64_t value;

	word = (volatile uint64_t *)(room.start + round % 512 * RT_PAGE_SIZE);
	begin(writer, NULL);
	call(RT_CALL_PROTECT, RT_READ);
	value = *word;
	for (volatile unsigned i = 0; i < 2000; i++)
		;
	if (*word != value)
		wrong++;
	wait_for(&seen);
	if (*word != value)
		wrong++;
	call(RT_CALL_PROTECT, RT_READ | RT_WRITE | RT_EXECUTE);
}

/* --- Fork --------------------------------------------------------------------------------------------------------- */

static uint64_t vm, heard, over;

/* Write which VM this is, over and over; the page of `vm` is another one. */
static void sign(void *unused)
{
	(void)unused;
	__atomic_store_n(&hot, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		uint64_t who = __atomic_load_n(&vm, __ATOMIC_SEQ_CST);

		*word = who;
		if (*word != who)
			wrong++;
		__atomic_store_n(&heard, who, __ATOMIC_SEQ_CST);
	}
	rt_atomic_store(&seen, 1);
}

/* Both go on, with both vCPUs, and neither sees what the other writes. */
static void fork_round(unsigned round)
{
	uint64_t mine;

	over = 0;
	vm = heard = 7;
	word = (volatile uint64_t *)(room.start + round * RT_PAGE_SIZE);
	begin(sign, NULL);
	mine = rt_fork();
	CHECK(!rt_is_error(mine));
	mine = mine ? 1000 + round : 2000 + round;
	rt_atomic_store(&vm, mine);
	for (unsigned tries = 0; rt_atomic_load(&heard) != mine;)
		rt_relax(&tries);
	for (unsigned i = 0; i < 1000; i++) {
		if (*word != mine)
			wrong++;
		if (i % 100 == 0)
			rt_yield();
	}
	rt_atomic_store(&over, 1);
	wait_for(&seen);
	if (mine >= 2000) {
		CHECK(wrong == 0);
		rt_exit((uint64_t)(check_failures != 0));
	}
}

int guest_main(void)
{
	CHECK(rt_cpu_count() >= 2);
	room = rt_take(2 * RT_BLOCK_SIZE);
	rt_fault_init();
	CHECK(rt_hypercall(RT_CALL_FAULT_MODE, RT_FAULT_INJECT, 0, 0, 0) == RT_FAULT_END);
	for (unsigned round = 0; round < ROUNDS; round++)
		discard_round(round, round % 2 ? RT_POLICY_2M : RT_POLICY_4K);
	rt_printf("smp_stale: %u pages given back: %lu old values, %lu values of others\n", ROUNDS, wrong, odd);
	CHECK(wrong == 0 && odd == 0);
	for (unsigned round = 0; round < ROUNDS; round++)
		protect_round(round);
	rt_printf("smp_stale: %u pages protected: %lu values changed\n", ROUNDS, wrong);
	CHECK(wrong == 0);
	for (unsigned round = 0; round < 4; round++)
		fork_round(round);
	rt_printf("smp_stale: %u forks: %lu values of the other VM\n", 4, wrong);
	CHECK(wrong == 0);
	return check_status("smp_stale");
}
