/* SPDX-License-Identifier: BSD-2-Clause */
/* A run: its VMs, side by side, and the report of each. */
#ifndef NESTLING_VMM_MACHINE_H
#define NESTLING_VMM_MACHINE_H

#include "vmm/report.h"
#include "vmm/vm.h"

/* A VM that the configuration describes. */
struct machine_vm {
	struct vm_options options;
	struct machine_vm *after;  /* it starts when that VM and its forks have ended; NULL: at once */
	struct guest_image image;  /* the guest program; no bytes: the demo that its options name */
	struct guest_image initrd; /* no bytes: none */
	struct guest_image disk[VM_DISKS_MAX];
	struct fork_tree tree; /* the VM and those forked from it */
	struct report report;  /* of the VM itself, once it has ended */
	bool ended;            /* and all of its forks */
};

/* The VMs in the order of the configuration. None waits for itself. */
struct machine {
	struct machine_vm *vm;
	unsigned count;   /* at least 1 */
	unsigned cpus;    /* CPUs to use at most; 0: all */
	uint64_t slice;   /* microseconds that a vCPU runs before another one gets the CPU; not 0 */
	unsigned running; /* of those, how many have not ended, or have forks that have not */
	unsigned failed;  /* of all VMs, those whose outcome is not VM_EXITED */
};

/*
 * Make, load and run all VMs with their forks on all CPUs that are online. A VM's report is printed when it and its forks have
 * ended; that of the first VM is printed last. A VM that has ended is freed at once. If one fails, the others still run. The other
 * CPUs call sched_run. Errors: there is no demo of that name, or the only VM cannot be started: one line has been logged by
 * log_fatal and there is no report.
 */
MUST_CHECK enum err machine_run(struct machine *machine);

#endif
