/* SPDX-License-Identifier: BSD-2-Clause */
/* Handling of each exit of a traced VM: a line on the console, a record, the picture on the screen, the progress line. */
#ifndef NESTLING_VMM_TRACE_H
#define NESTLING_VMM_TRACE_H

#include "vmm/vm.h"

/* The state before an exit was served, for comparison. */
struct trace_start {
	struct addr_space_stats stats; /* the part of the vCPU's own view */
	uint64_t clock;                /* by arch_cost_clock */
};

/* Is a VM with these options traced (vm->traced)? */
bool trace_wanted(const struct vm_options *options);

/* Around the serving of each exit of a traced VM. */
void trace_begin(const struct vcpu *vcpu, struct trace_start *start);
void trace_end(struct vcpu *vcpu, const struct vm_exit *exit, const struct trace_start *start);

#endif
