/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's physical CPUs. */
#ifndef NESTLING_VMM_CPU_H
#define NESTLING_VMM_CPU_H

#include <stdbool.h>

#include "arch_cpu.h" /* vmm/<isa>/: struct cpu_arch, arch_this_cpu */
#include "include/lock.h"
#include "include/types.h"

/* A machine may have more; those are not used. One bit each in a word. */
#define CPU_MAX 64

struct vcpu;

/* vCPUs that are ready to run, in the order in which they came. */
struct run_queue {
	struct spinlock lock;
	struct vcpu *first, *last;
	unsigned length; /* atomic: cpu_ready */
};

/*
 * Only the CPU itself writes what is not atomic, `queue` apart. Before the first CPU calls cpu_start, other members than `id` and
 * `hw_id` are 0.
 */
struct cpu {
	struct cpu_arch arch;
	unsigned id;           /* 0 is the one that booted; index of cpu_of */
	uint64_t hw_id;        /* x86: APIC id; Arm: affinity as in MPIDR_EL1; RISC-V: hart id */
	struct vcpu *resident; /* the vCPU whose state this CPU holds; NULL: none */
	struct run_queue queue;
	struct vcpu *timed;    /* vCPUs that wait with a deadline, the earliest first; under queue.lock, atomic */
	bool online;           /* atomic: it runs the scheduler */
	bool idle;             /* atomic: it waits for something to do, or is about to */
	bool stopped;          /* atomic: it has to stop for good (panic) */
	uint64_t flush_wanted; /* atomic: shoot-downs that others have asked for; see vmm/shootdown.h */
	uint64_t flush_done;   /* atomic: of these, done */
	uint64_t slice_end;    /* arch_clock; when the resident vCPU's slice is over */
	uint64_t started;      /* arch_clock; when the resident vCPU's time was last counted */
	uint64_t interrupts;   /* host interrupts taken */
	uint64_t ipis;         /* sent */
	uint64_t switches;     /* of vCPUs */
	uint64_t idle_ticks;   /* of arch_clock */
};

/* The CPUs that are used are 0 to cpu_count - 1. Both are set before the first other CPU is started, and constant afterwards. */
extern struct cpu cpus[CPU_MAX];
extern unsigned cpu_count;

static inline struct cpu *cpu_of(unsigned id)
{
	return &cpus[id];
}

/* How many vCPUs are ready there. Read without the lock: others may add and take some now. */
static inline unsigned cpu_ready(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->queue.length, __ATOMIC_RELAXED);
}

/* Does it run the scheduler? One that did not come never does. */
static inline bool cpu_is_online(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->online, __ATOMIC_RELAXED);
}

#endif
