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
	struct ram ram;
	const struct format_case *format;
	struct view view;
	struct tlb tlb;
	uint64_t flushes;     /* as counted by the CPUs */
	uint64_t free_before; /* free bytes when the operation under way began: no more may be free at a flush */
	uint64_t overhead;    /* bytes taken by neither guest memory nor tables, when the space was new */
};

/* cmocka fixtures: the state is a struct format_case before, a struct space after. */
int space_setup(void **state);
/* Frees the space, and fails when a frame is left. */
int space_teardown(void **state);

struct space *space_new(const struct format_case *format, uint64_t ram);
void space_free(struct space *space);

/* Run each test over a few formats, one of each kind. */
int space_suite(const char *name, const struct format_test *tests, size_t count);

/* To be called before an operation that flushes. */
void space_begin(struct space *space);
/* Everything that must hold between operations: tables, counters, TLB, and where each frame is. */
void space_check(struct space *space);

/* Operations with space_begin before and space_check after them. */
enum err space_linear(struct space *space, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned prot);
enum err space_alloc(struct space *space, uint64_t gpa, uint64_t size, unsigned prot, enum alloc_policy policy);
enum err space_unmap(struct space *space, uint64_t gpa, uint64_t size);
enum err space_protect(struct space *space, uint64_t gpa, uint64_t size, unsigned prot);
void space_clear(struct space *space);
enum fault_outcome space_fault(struct space *space, uint64_t gpa, unsigned access);

/* The guest's byte at `gpa`, by the oracle's walk; fails when the guest could not read it. */
uint8_t *space_byte(struct space *space, uint64_t gpa);
/* Can the guest do this without a fault? */
bool space_allows(struct space *space, uint64_t gpa, unsigned access);
/* Leaf level at `gpa`; fails when there is none. */
unsigned space_level(struct space *space, uint64_t gpa);

#endif
