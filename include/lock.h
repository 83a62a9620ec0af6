/* SPDX-License-Identifier: BSD-2-Clause */
/* A spinlock. Not recursive; held for short, bounded work only. Interrupts stay off in the hypervisor. */
#ifndef NESTLING_LOCK_H
#define NESTLING_LOCK_H

#include <stdbool.h>

struct spinlock {
	bool held;
};

static inline void spin_lock(struct spinlock *lock)
{
	while (__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			;
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
}

#endif
