/* SPDX-License-Identifier: BSD-2-Clause */
/* All of a run: its VMs, one after the other, and what is told of each. */
#ifndef NESTLING_VMM_MACHINE_H
#define NESTLING_VMM_MACHINE_H

#include "vmm/vm.h"

/*
 * Find the guest (`file` replaces the embedded demo when it is not NULL), make its VM, load it, and run it and what it forks,
 * each to its end. A VM that has ended is freed at once; its figures are kept for its report.
 * On failure to start, one line has been logged by log_fatal and there is no report.
 */
MUST_CHECK enum err machine_run(const struct vm_options *options, const struct guest_image *file);

#endif
