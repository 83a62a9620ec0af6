/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for a spinlock that another CPU holds. */
#include "include/lock.h"

void (*spin_wait)(void);

void spin_until_free(const struct spinlock *lock)
{
	while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
		if (spin_wait)
			spin_wait();
}
