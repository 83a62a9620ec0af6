/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done about each exit of a traced VM: a line on the console, a record, a picture on the screen, the progress. */
#ifndef NESTLING_VMM_TRACE_H
#define NESTLING_VMM_TRACE_H

#include "vmm/vm.h"

/* How things stood before an exit was served. */
struct trace_start {
	struct addr_space_stats stats;
	uint64_t clock; /* by arch_clock */
};

/* Is a VM with these options traced? For vm->traced. */
bool trace_wanted(const struct vm_options *options);

/* Around the serving of each exit of a traced VM. */
void trace_begin(const struct vcpu *vcpu, struct trace_start *start);
void trace_end(struct vcpu *vcpu, const struct vm_exit *exit, const struct trace_start *start);

#endif
