/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM cost, for people and for programs. */
#ifndef NESTLING_VMM_REPORT_H
#define NESTLING_VMM_REPORT_H

#include "vmm/vm.h"

/* What a VM that has ended came to: all that is left of it when it is freed. Sizes in bytes. */
struct report {
	struct vm_options options;
	unsigned number; /* in the run */
	bool forked;
	unsigned forks; /* made from it and its forks, where it was not forked itself */
	enum vm_outcome outcome;
	uint64_t guest_status;
	struct vm_exit_counts exits;
	uint64_t timed_faults, fault_ticks;
	const char *format; /* of its tables */
	bool hardware_ad;
	struct addr_space_stats stats;
	uint64_t tables, areas; /* of memory_used, beside what is resident and the VM's own structures */
	uint64_t host_free;     /* when it ended, and had its memory still */
	uint64_t leaves[NPT_LEAF_LEVELS];
	uint64_t zeros;        /* mapped, and only read */
	uint64_t touched;      /* in leaves that have an accessed mark */
	uint64_t populated[2]; /* of tables, had all RAM been mapped at the start: in 4 KiB pages, in 2 MiB leaves */
};

/* Note down what a VM that has ended came to; it can be freed after that. */
void report_settle(struct report *report, struct vm *vm);

/* The same of a VM that could not be started. */
void report_refused(struct report *report, const struct vm_options *options, unsigned number);

/* Print the account: a few lines, then "report: " and one JSON object on one line. The first VM's, the last one, has the figures of
 * the run, too. */
struct machine;
void report_print(const struct report *report, const struct machine *machine);

#endif
