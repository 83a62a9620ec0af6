/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls a guest can make. docs/guest-abi.md says the same to guest writers. */
#ifndef NESTLING_VMM_HYPERCALL_H
#define NESTLING_VMM_HYPERCALL_H

#include "vmm/exit.h"
#include "vmm/vm.h"

/*
 * Function numbers; each ISA adds its own base (x86_64: the number itself in rax; AArch64: SMCCC vendor-hypervisor
 * range; RISC-V: function id of an experimental SBI extension).
 */
enum hypercall_number {
	HYPERCALL_VERSION = 0,       /* () -> HYPERCALL_ABI_VERSION */
	HYPERCALL_EXIT = 1,          /* (status) -> does not return */
	HYPERCALL_CONSOLE_WRITE = 2, /* (gpa, bytes) -> bytes written */
	HYPERCALL_MEMORY_INFO = 3,   /* (enum memory_info) -> value */
	HYPERCALL_DISCARD = 4,       /* (gpa, bytes) -> 0; the range reads as zeros from then on */
	HYPERCALL_PROTECT = 5,       /* (gpa, bytes, permissions: 1 read, 2 write, 4 execute) -> 0 */
	HYPERCALL_SET_POLICY = 6,    /* (gpa, bytes, enum alloc_policy) -> 0 */
	HYPERCALL_FORK = 7,          /* () -> 0 in the child, its number (1, 2, ...) in the parent */
	HYPERCALL_FAULT_MODE = 8,    /* (enum fault_mode) -> the mode before */
	HYPERCALL_TRACK = 9,         /* (gpa, bytes, enum track, gpa of a bitmap or ~0) -> pages */
};

#define HYPERCALL_ABI_VERSION 2

enum memory_info {
	MEMORY_INFO_PROMISED = 0, /* bytes of RAM the guest was promised */
	MEMORY_INFO_RESIDENT = 1, /* bytes of host memory behind it now */
	MEMORY_INFO_TABLES = 2,   /* bytes of nested tables now */
	MEMORY_INFO_FAULTS = 3,   /* faults served so far */
	MEMORY_INFO_PEAK = 4,     /* the most that RESIDENT ever was */
	MEMORY_INFO_SHARED = 5,   /* bytes mapped that belong to another VM since a fork */
	MEMORY_INFO_ZERO = 6,     /* bytes that the shared zero frames stand for now */
	MEMORY_INFO_EXITS = 7,    /* exits by nested faults so far */
	MEMORY_INFO_FLUSHES = 8,  /* flush instructions so far */
	MEMORY_INFO_HOST_FREE = 9, /* bytes of host memory that are free */
	MEMORY_INFO_LARGE = 10,   /* bytes mapped by 2 MiB and 1 GiB leaves */
	MEMORY_INFO_RECLAIMED = 11, /* bytes taken back for want of host memory so far */
};

/* What becomes of an access that an area does not permit. */
enum fault_mode {
	FAULT_MODE_END = 0,    /* it ends the run, outcome "denied" */
	FAULT_MODE_INJECT = 1, /* the guest gets the platform's own fault */
};

enum track {
	TRACK_ACCESSED = 0,    /* pages accessed since the last time */
	TRACK_DIRTY = 1,       /* pages written since the last time */
	TRACK_DIRTY_EXACT = 2, /* the same, large leaves split first */
};

/* Longest TRACK: its bitmap, a bit a page, fills a page. */
#define HYPERCALL_TRACK_MAX MIB(128)
/* Where the bitmap's address would be: only the number is wanted. */
#define HYPERCALL_TRACK_COUNT UINT64_MAX

/* Results below zero, as signed 64-bit numbers; the first is SMCCC's NOT_SUPPORTED. */
#define HYPERCALL_NOT_SUPPORTED ((uint64_t)-1)
#define HYPERCALL_DENIED        ((uint64_t)-2)
#define HYPERCALL_INVALID       ((uint64_t)-3)
#define HYPERCALL_NO_MEMORY     ((uint64_t)-4)

/* Longest CONSOLE_WRITE; a longer one is cut, and the result says so. */
#define HYPERCALL_CONSOLE_MAX KIB(4)

/* "discard", "protect", ... for people; "?" where there is no such call. */
const char *hypercall_name(uint64_t number);

/*
 * The calls that need not all of the guest's registers, and do not end the run; NULL: hypercall_rest does it. A table, for a
 * switch would have every call pay for what the longest one needs.
 */
#define HYPERCALL_COUNT 10
extern const hypercall_fn hypercalls[HYPERCALL_COUNT];

/* The calls that are not in the table, but for the second step: a fork, the end of the run, and those that do not exist. */
uint64_t hypercall_rest(struct vm *vm, const struct hypercall *call);

#endif
