/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of a VM that has ended, for people and for programs. */
#ifndef NESTLING_VMM_REPORT_H
#define NESTLING_VMM_REPORT_H

#include "vmm/vm.h"

/* The figures of a VM that has ended, which are kept after it is freed. Sizes in bytes. */
struct report {
	struct vm_options options;
	unsigned number; /* in the run */
	bool forked;
	char name[CONSOLE_NAME_ROOM]; /* its own of a forked VM, that of the configuration of others */
	unsigned forks;               /* VMs forked from it and its forks; only of the first VM of a fork tree */
	enum vm_outcome outcome;
	uint64_t guest_status;
	unsigned reboots;
	struct vm_exit_counts exits;
	struct report_time {
		uint64_t cpu_time; /* microseconds, of all vCPUs */
		uint64_t switches; /* times that a vCPU came into a CPU */
		uint64_t preemptions, interrupts, shootdowns, ipis;
	} time;
	uint64_t timed_faults, fault_ticks;
	const char *format; /* of its nested tables: npt_name */
	bool hardware_ad;
	struct addr_space_stats stats;
	uint64_t tables, areas; /* parts of memory_used; the rest is resident memory and the VM's own structures */
	uint64_t host_free;     /* when it had ended and its memory was not freed yet */
	uint64_t leaves[NPT_LEAF_LEVELS];
	uint64_t zeros;        /* mapped to the zero page or the large zero page */
	uint64_t touched;      /* in leaves that have the accessed bit */
	uint64_t file_bytes;   /* mapped from the files that the VM was loaded from, which all VMs share */
	uint64_t reported;     /* given back because the guest's balloon driver has reported free pages; part of stats.discarded */
	uint64_t inflated;     /* the same, because it has put pages into the balloon */
	uint64_t populated[2]; /* what the tables would take if all RAM had been mapped by 4 KiB leaves, by 2 MiB leaves */
};

/* Find out what a VM that has ended has touched: a piece of it. True: there is more. */
bool report_survey_piece(struct vm *vm);
/* Then: fill in its report. The VM can be freed after that. */
void report_settle(struct report *report, struct vm *vm);

/* Fill in the report of a VM that could not be started. */
void report_refused(struct report *report, const struct vm_options *options, unsigned number);

/*
 * Print the report: a few lines, then "report: " and one JSON object on one line, unless the screen is the console. The report of
 * the first VM, which is printed last, has the figures of the whole run, too. One CPU at a time.
 */
struct machine;
void report_print(const struct report *report, const struct machine *machine);

#endif
