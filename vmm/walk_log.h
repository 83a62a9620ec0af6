/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk of nested tables, logged. */
#ifndef NESTLING_VMM_WALK_LOG_H
#define NESTLING_VMM_WALK_LOG_H

#include "vmm/vm.h"

/* Log the entries of its nested tables on the way to `gpa` by log_err, the root's first. */
void walk_log(struct vm *vm, gpa_t gpa);
/* The same for panic: other CPUs have been told to stop, and one of them may hold the lock of the space. */
void walk_log_of_panic(const struct vm *vm, gpa_t gpa);

#endif
