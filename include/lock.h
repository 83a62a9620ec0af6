/* SPDX-License-Identifier: BSD-2-Clause */
/* A spinlock. Not recursive; held for short, bounded work only. Interrupts stay off in the hypervisor. */
#ifndef NESTLING_LOCK_H
#define NESTLING_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The host tests are built so that the order of locks is checked: tests/host/lock_order.c. */
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

/* What locks there are, from the outermost to the innermost: see docs/locks.md. Those of one rank are not held together. */
enum lock_rank {
	LOCK_NO_RANK,
	LOCK_KEYBOARD,  /* what has been typed */
	LOCK_VMS,       /* the VMs that live */
	LOCK_REPORT,    /* what is printed or drawn as a whole */
	LOCK_RUN,       /* which VMs of the configuration have ended */
	LOCK_BUFFER,    /* a buffer that is there once for all VMs */
	LOCK_FORK_TREE, /* the VMs of a fork tree */
	LOCK_DEVICES,   /* a VM's devices, of which a local APIC starts vCPUs */
	LOCK_VM,        /* the states of a VM's vCPUs */
	LOCK_VIEW,      /* a view of a space: all of one space are held together, in the order of their list */
	LOCK_QUEUE,     /* vCPUs that are ready on a CPU */
	LOCK_NUMBERS,   /* which numbers are taken: of spaces, VMIDs */
	LOCK_FRAMES,    /* the frame allocator */
	LOCK_RANDOM,    /* the generator of random numbers */
	LOCK_RECORDS,   /* the numbers of a trace's records */
	LOCK_CONSOLE,   /* the line that is written */
	LOCK_INNERMOST, /* for tests */
	LOCK_RANKS
};

/*
 * `held` is a whole word: RISC-V has atomic instructions for no less, and the compiler would call a library for it. Only where the
 * order is checked, a lock knows its rank, and which one of that rank it is: `place`.
 */
#if LOCK_CHECKS
struct spinlock {
	uint32_t held;
	uint16_t rank, place;
};
#define SPINLOCK(the_rank)         \
	{                          \
		.rank = (the_rank) \
	}

/* This thread is about to wait for a lock, has taken one, lets one go: panics if it must not. */
void lock_order_want(const struct spinlock *lock);
void lock_order_take(const struct spinlock *lock);
void lock_order_give(const struct spinlock *lock);

static inline void spin_place_after(struct spinlock *lock, const struct spinlock *before)
{
	lock->rank = before->rank;
	lock->place = (uint16_t)(before->place + 1);
}
#else
struct spinlock {
	uint32_t held;
};
#define SPINLOCK(the_rank) \
	{                  \
		.held = 0  \
	}

static inline void lock_order_want(const struct spinlock *lock)
{
	(void)lock;
}
static inline void lock_order_take(const struct spinlock *lock)
{
	(void)lock;
}
static inline void lock_order_give(const struct spinlock *lock)
{
	(void)lock;
}
static inline void spin_place_after(struct spinlock *lock, const struct spinlock *before)
{
	(void)lock;
	(void)before;
}
#endif

/* A lock in zeroed memory gets its rank. Costs nothing where the order is not checked. */
#define spin_init(lock, the_rank) ((void)(LOCK_CHECKS ? (*(lock) = (struct spinlock)SPINLOCK(the_rank), 0) : 0))

/*
 * Called again and again while a lock is waited for, with that lock not held; NULL: nothing is to be done meanwhile. The hypervisor
 * serves what other CPUs ask of this one: a CPU that waits, with interrupts masked, for a lock whose holder waits for this CPU.
 */
extern void (*spin_wait)(void);

/* Wait until the lock looks free. */
void spin_until_free(const struct spinlock *lock);

/* Against the order, too: who does not get it does not wait. */
static inline bool spin_trylock(struct spinlock *lock)
{
	/* One instruction where the CPU can test and set a bit. */
	if (__atomic_fetch_or(&lock->held, 1, __ATOMIC_ACQUIRE) & 1)
		return false;
	lock_order_take(lock);
	return true;
}

static inline void spin_lock(struct spinlock *lock)
{
	lock_order_want(lock);
	if (__builtin_expect(spin_trylock(lock), true))
		return;
	do
		spin_until_free(lock);
	while (!spin_trylock(lock));
}

static inline void spin_unlock(struct spinlock *lock)
{
	lock_order_give(lock);
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
