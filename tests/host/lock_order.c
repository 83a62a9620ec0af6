/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/lock_order.h. */
#include "tests/host/lock_order.h"

#include "include/lock.h"
#include "include/panic.h"
#include "include/types.h"

/* All views of a space, and a few more. */
#define HELD_MAX 64

static _Thread_local struct {
	const struct spinlock *lock[HELD_MAX];
	unsigned first, count; /* those before `first` are held by the CPU that this one interrupts: lock_order_other_cpu */
} held;

/* "of a VM (1)": a lock for people; of those of one rank, which one. */
static const char *rank_name(const struct spinlock *lock)
{
	static const char *const names[LOCK_RANKS] = {
		[LOCK_NO_RANK] = "without a rank",
		[LOCK_REPORT] = "of reports",
		[LOCK_RUN] = "of the run",
		[LOCK_BUFFER] = "of a buffer",
		[LOCK_FORK_TREE] = "of a fork tree",
		[LOCK_DEVICES] = "of a VM's devices",
		[LOCK_VM] = "of a VM",
		[LOCK_VIEW] = "of a view",
		[LOCK_QUEUE] = "of a CPU's queue",
		[LOCK_NUMBERS] = "of numbers",
		[LOCK_FRAMES] = "of the frames",
		[LOCK_RECORDS] = "of a trace's records",
		[LOCK_CONSOLE] = "of the console",
		[LOCK_INNERMOST] = "of a test",
	};

	return lock->rank < LOCK_RANKS ? names[lock->rank] : "that is none";
}

static uint32_t position(const struct spinlock *lock)
{
	return (uint32_t)lock->rank << 16 | lock->place;
}

void lock_order_want(const struct spinlock *lock)
{
	if (lock->rank == LOCK_NO_RANK || lock->rank >= LOCK_RANKS)
		panic("lock order: a lock %s is wanted: see spin_init", rank_name(lock));
	for (unsigned i = held.first; i < held.count; i++)
		if (position(held.lock[i]) >= position(lock))
			panic("lock order: the lock %s (%u) is wanted while that %s (%u) is held", rank_name(lock), lock->place,
			      rank_name(held.lock[i]), held.lock[i]->place);
}

void lock_order_take(const struct spinlock *lock)
{
	if (held.count == ARRAY_LEN(held.lock))
		panic("lock order: more than %u locks are held", HELD_MAX);
	held.lock[held.count++] = lock;
}

void lock_order_give(const struct spinlock *lock)
{
	for (unsigned i = held.count; i-- > held.first;)
		if (held.lock[i] == lock) {
			held.lock[i] = held.lock[--held.count];
			return;
		}
	panic("lock order: the lock %s (%u) is let go without being held", rank_name(lock), lock->place);
}

void lock_order_forget(void)
{
	held.first = held.count = 0;
}

unsigned lock_order_other_cpu(void)
{
	unsigned first = held.first;

	held.first = held.count;
	return first;
}

void lock_order_this_cpu(unsigned other)
{
	if (held.count != held.first)
		panic("lock order: another CPU holds the lock %s (%u) yet", rank_name(held.lock[held.first]),
		      held.lock[held.first]->place);
	held.first = other;
}

void lock_order_give_up(void)
{
	while (held.count > held.first)
		__atomic_store_n((uint32_t *)(uintptr_t)&held.lock[--held.count]->held, 0, __ATOMIC_RELEASE);
}
