/* SPDX-License-Identifier: BSD-2-Clause */
/* Nested tables of one format over a fake environment that logs, counts, watches and fails on demand. */
#ifndef NESTLING_TESTS_HOST_FIXTURE_H
#define NESTLING_TESTS_HOST_FIXTURE_H

#include "npt/npt.h"
#include "tests/host/formats.h"
#include "tests/host/tlb.h"
#include "tests/host/view.h"

#define FIXTURE_TABLES_SIZE MIB(64)
#define FIXTURE_EVENTS      4096

enum fake_event_kind { FAKE_ALLOC, FAKE_FREE, FAKE_FLUSH };

struct fake_event {
	enum fake_event_kind kind;
	uint64_t at;   /* hpa of a table, gpa of a flush */
	uint64_t size; /* bytes */
};

/* What is known of each 4 KiB frame of the tables' memory. */
struct fake_frame {
	bool taken, head;
	uint8_t order;
	uint32_t present;
};

struct fixture {
	const struct format_case *format;
	struct npt npt;
	struct npt_env env;
	struct npt_walk_cache cache;
	struct arena arena;
	struct view view;
	struct tlb tlb;
	bool watched; /* the TLB is shown the tables; otherwise only events are logged */
	struct fake_frame *frames;
	size_t next_frame;
	uint64_t taken;   /* bytes in tables now */
	long allocs_left; /* until alloc_table fails; negative: never */
	struct fake_event events[FIXTURE_EVENTS];
	size_t event_count;
	/* Run at the start of each alloc_table or flush: what another CPU does meanwhile. NULL: nothing. */
	void (*meanwhile)(struct fixture *fixture);
	uint64_t meanwhile_gpa;
};

/* cmocka fixtures: the state is a struct format_case before, a struct fixture after. The tables are empty. */
int fixture_setup(void **state);
/* Frees the tables and fails when any frame of theirs is left. */
int fixture_teardown(void **state);

/* The same for a program that runs one geometry by itself. */
struct fixture *fixture_new(const struct format_case *format);
void fixture_free(struct fixture *fixture);
/* The environment without tables: fixture->npt is not made yet. */
struct fixture *fixture_bare(const struct format_case *format);
void fixture_bare_free(struct fixture *fixture);

void fixture_forget_events(struct fixture *fixture);
size_t fixture_count(const struct fixture *fixture, enum fake_event_kind kind);
/* The n-th event of this kind; fails when there is none. */
const struct fake_event *fixture_event(const struct fixture *fixture, enum fake_event_kind kind, size_t n);

/* Everything that must hold between operations: the tables, the counters, the TLB. */
void fixture_check(struct fixture *fixture);

/* Operations with their gather, checked afterwards. */
enum err fixture_map(struct fixture *fixture, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned prot);
enum err fixture_unmap(struct fixture *fixture, uint64_t gpa, uint64_t size);
enum err fixture_protect(struct fixture *fixture, uint64_t gpa, uint64_t size, unsigned prot);

/* Fail unless the oracle finds `gpa` at `hpa` with exactly these permissions, in a leaf of this level. */
void expect_leaf(struct fixture *fixture, uint64_t gpa, uint64_t hpa, unsigned level, unsigned prot);
void expect_hole(struct fixture *fixture, uint64_t gpa);

#endif
