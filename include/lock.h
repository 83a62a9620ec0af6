/* SPDX-License-Identifier: BSD-2-Clause */
/* A spinlock. Not recursive; held for short, bounded work only. Interrupts stay off in the hypervisor. */
#ifndef NESTLING_LOCK_H
#define NESTLING_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "include/panic.h"

/* The host tests are built so that a lock which is let go must have been held. */
#ifndef LOCK_CHECKS
#define LOCK_CHECKS 0
#endif

/*
 * Store a word that other CPUs read without a lock. For RISC-V the compiler makes an atomic exchange of __atomic_store_n, which is
 * what the thread sanitizer wants to see.
 */
#ifdef __SANITIZE_THREAD__
#define STORE_RELAXED(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELAXED)
#else
#define STORE_RELAXED(word, value) (*(volatile __typeof__(word) *)&(word) = (value))
#endif

/*
 * What was written before is visible before what is written after. For what is published by a compare-and-swap: GCC 12 makes one
 * with
 * __ATOMIC_RELEASE into LR and SC without .rl on RISC-V. The thread sanitizer knows no fences, and goes by the compare-and-swap.
 */
static inline void release_fence(void)
{
#ifndef __SANITIZE_THREAD__
	__atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* A whole word: RISC-V has atomic instructions for no less, and the compiler would call a library for it. */
struct spinlock {
	uint32_t held;
};

/*
 * Called again and again while a lock is waited for, with that lock not held; NULL: nothing is to be done meanwhile. The hypervisor
 * serves what other CPUs ask of this one: a CPU that waits, with interrupts masked, for a lock whose holder waits for this CPU.
 */
extern void (*spin_wait)(void);

/* Wait until the lock looks free. */
void spin_until_free(const struct spinlock *lock);

static inline bool spin_trylock(struct spinlock *lock)
{
	/* One instruction where the CPU can test and set a bit. */
	return !(__atomic_fetch_or(&lock->held, 1, __ATOMIC_ACQUIRE) & 1);
}

static inline void spin_lock(struct spinlock *lock)
{
	if (__builtin_expect(spin_trylock(lock), true))
		return;
	do
		spin_until_free(lock);
	while (!spin_trylock(lock));
}

static inline void spin_unlock(struct spinlock *lock)
{
	if (LOCK_CHECKS && !__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
		panic("lock: let go without being held");
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
