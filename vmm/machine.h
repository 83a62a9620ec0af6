/* SPDX-License-Identifier: BSD-2-Clause */
/* All of a run: its VMs, one after the other, and the report of each. */
#ifndef NESTLING_VMM_MACHINE_H
#define NESTLING_VMM_MACHINE_H

#include "vmm/vm.h"

/* A VM that the configuration describes. */
struct machine_vm {
	struct vm_options options;
	struct machine_vm *after; /* it starts when that one has ended; NULL: at its turn */
	struct guest_image image; /* what it runs; no bytes: the demo of its options */
	bool ended;
};

/* The VMs in the order of the configuration. None waits for itself. */
struct machine {
	struct machine_vm *vm;
	unsigned count;  /* at least 1 */
	unsigned made;   /* all VMs, forked ones included; these have the numbers from `count` on */
	unsigned failed; /* of those, ended otherwise than by the guest's own wish */
};

/*
 * Make, load and run all VMs, each with what it forks, one after the other, and print each one's report when it has ended: the
 * first one's last. A VM that has ended is freed at once; a bad end of one does not keep the others from running.
 * Errors: there is no demo of that name, or the only VM cannot be started: one line has been logged by log_fatal and there is no
 * report.
 */
MUST_CHECK enum err machine_run(struct machine *machine);

#endif
