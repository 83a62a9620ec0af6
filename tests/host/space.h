/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's address space on a small dirty machine, with the worst TLB watching. */
#ifndef NESTLING_TESTS_HOST_SPACE_H
#define NESTLING_TESTS_HOST_SPACE_H

#include "mm/addr_space.h"
#include "tests/host/formats.h"
#include "tests/host/ram.h"
#include "tests/host/tlb.h"
#include "tests/host/view.h"

#define SPACE_RAM_AT   0x400000000
#define SPACE_RAM_SIZE MIB(16)

struct space {
	struct addr_space as;
	struct space *machine; /* the space that it all began with: its `ram` is everybody's */
	struct space *next;    /* all spaces of a machine, in a list that begins with that one */
	bool gone;             /* freed, but the machine goes on */
	struct ram ram;
	const struct format_case *format;
	struct view view;
	struct tlb tlb;
	uint64_t flushes;       /* as counted by the CPUs, */
	uint64_t instructions;  /* and what these took */
	uint64_t hidden_before; /* bytes that were mapped and not marked accessed, at the operation's start or its last flush */
	uint64_t free_before;   /* no more bytes may be free or held back at a flush: what was, and what earlier flushes allow */
	void (*meanwhile)(struct space *space); /* what a CPU does at the last moment before a flush reaches it; once */
	struct addr_space_limit limit;          /* of this space and those forked from it later; of the first one of a tree */
	uint64_t overhead;                      /* bytes that the test itself has taken, hogs apart */
	struct ram_range file;                  /* the same, of frames that spaces may map */
};

/* cmocka fixtures: the state is a struct format_case before, a struct space after. */
int space_setup(void **state);
/* Frees the space, and fails when a frame is left. */
int space_teardown(void **state);

struct space *space_new(const struct format_case *format, uint64_t ram);
void space_free(struct space *space);

/* Run each test over a few formats, one of each kind. */
int space_suite(const char *name, const struct format_test *tests, size_t count);
/* The same, and once more with the accessed and dirty bits kept by software where hardware does, and the other way round. */
int space_suite_both_marks(const char *name, const struct format_test *tests, size_t count);

/* Limit the space and its forks to come to `max` bytes; UINT64_MAX: no limit. */
enum err space_limit(struct space *space, uint64_t max);
/* Take all memory but so many frames; what spaces hold for faults to come is part of that. */
void space_leave(struct space *space, uint64_t frames);
/* To be called before an operation that flushes. */
void space_begin(struct space *space);
/* Everything that must hold between operations on any space of the machine: tables, counters, TLB, where each frame is. */
void space_check(struct space *space);

/* Operations with space_begin before and space_check after them. */
enum err space_linear(struct space *space, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned prot);
enum err space_alloc(struct space *space, uint64_t gpa, uint64_t size, unsigned prot, enum alloc_policy policy);
enum err space_unmap(struct space *space, uint64_t gpa, uint64_t size);
enum err space_protect(struct space *space, uint64_t gpa, uint64_t size, unsigned prot);
void space_clear(struct space *space);
enum err space_discard(struct space *space, uint64_t gpa, uint64_t size);
enum err space_set_policy(struct space *space, uint64_t gpa, uint64_t size, enum alloc_policy policy);
/* How many pages were accessed or dirty; their bits are in `bitmap`. */
uint64_t space_test_and_clear(struct space *space, enum npt_ad mark, uint64_t gpa, uint64_t size, bool split, uint64_t *bitmap);
/* A second space on the same machine; *child is NULL when there is none. */
enum err space_fork(struct space *parent, struct space **child);
/* The same, a piece at a time. */
enum err space_fork_begin(struct space *parent, struct space **child);
enum err space_fork_piece(struct space *parent, struct space *child, uint64_t *at, bool *more);
/* The end of one space; the machine's others live on. */
void space_end(struct space *space);
enum fault_outcome space_fault(struct space *space, uint64_t gpa, unsigned access);

/*
 * What a guest's access comes to: accessed and dirty bits if it is let through, else a fault that must be handled, and again.
 * Returns how many faults that took. Checks next to nothing, so that it can be done often.
 */
unsigned space_touch(struct space *space, uint64_t gpa, unsigned access);
/* The same for a byte. */
void space_store(struct space *space, uint64_t gpa, uint8_t value);
uint8_t space_load(struct space *space, uint64_t gpa);

/* The guest's byte at `gpa`, by the oracle's walk; fails when the guest could not read it. */
uint8_t *space_byte(struct space *space, uint64_t gpa);
/* Can the guest do this without a fault? */
bool space_allows(struct space *space, uint64_t gpa, unsigned access);
/* Leaf level at `gpa`; fails when there is none. */
unsigned space_level(struct space *space, uint64_t gpa);
/* Does the guest see the shared zero pages there? */
bool space_is_zero(struct space *space, uint64_t gpa);
static inline struct addr_space_stats space_stats(struct space *space)
{
	return addr_space_get_stats(&space->as);
}

#endif
