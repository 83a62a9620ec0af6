/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses that may fail: the exception is caught, and told in words that are the same on every ISA. */
#ifndef NESTLING_GUEST_RT_FAULT_H
#define NESTLING_GUEST_RT_FAULT_H

#include "guest/rt/rt.h"

#define RT_UNKNOWN ((uint64_t)-1)

/* What the platform tells of an access that it did not allow. */
struct rt_fault {
	unsigned access;  /* RT_READ, RT_WRITE or RT_EXECUTE; 0: it does not say */
	uint64_t address; /* of the access; RT_UNKNOWN: it does not say */
	const char *name; /* of the exception, as the manuals have it */
};

/*
 * Have exceptions caught from now on, those of this vCPU and of all that it starts. One outside of rt_attempt ends the program with
 * a line and status 1.
 */
void rt_fault_init(void);

/*
 * Call `what(at)`. True when it returned; false when an exception ended it half-way, of which `rt_fault_last` tells, on this
 * vCPU. Not to be nested.
 */
bool rt_attempt(void (*what)(volatile uint64_t *at), volatile uint64_t *at);
struct rt_fault rt_fault_last(void);

/* Write a function that returns at once to `at`, in words, and let the CPU see it as code. */
void rt_write_function(volatile uint64_t *at);

/* For the assembly: an exception that nobody attempted. */
_Noreturn void rt_fault_stray(void);

#endif
