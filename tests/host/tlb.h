/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worst TLB there can be: it remembers every translation and every pointer to a table that was ever there to be
 * seen, until a flush makes it forget; a pointer only when the flush covers all that is below it. It is shown the tables
 * at each flush and at the end of each operation, and fails the test for
 *   - a stale translation that outlives the operation that removed or narrowed it,
 *   - a table freed while it may still be walked,
 *   - where break-before-make is the rule: a valid entry seen in place of another one that nobody flushed.
 */
#ifndef NESTLING_TESTS_HOST_TLB_H
#define NESTLING_TESTS_HOST_TLB_H

#include "tests/host/view.h"

struct tlb_run { /* leaves of one level, contiguous on both sides */
	uint64_t start, end, hpa;
	unsigned prot, type, level;
};

struct tlb_table {
	uint64_t hpa, start, end;
	unsigned level;
};

struct tlb_runs {
	struct tlb_run *all;
	size_t count, room;
};

struct tlb_tables {
	struct tlb_table *all;
	size_t count, room;
};

struct tlb {
	const struct view *view;
	bool break_before_make;
	struct tlb_runs now, stale;
	struct tlb_tables tables, stale_tables;
};

void tlb_open(struct tlb *tlb, const struct view *view, bool break_before_make);
void tlb_close(struct tlb *tlb);
/*
 * The CPUs are told to forget [gpa, gpa + size), or all of it. Returns how much memory they may have reached until then, tables
 * included, and cannot any more.
 */
uint64_t tlb_flush(struct tlb *tlb, uint64_t gpa, uint64_t size);
/* A table's frame goes back to its owner. */
void tlb_freed(struct tlb *tlb, uint64_t table);
/* An operation has returned: nothing stale may be left that grants what the tables do not. */
void tlb_settle(struct tlb *tlb);

#endif
