/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What exits had to do with memory, as records for programs: docs/debugging.md has the fields. They go out beside the
 * console's text (console_record), one JSON object each, between one that opens the trace and one that tells how many
 * there were.
 */
#ifndef NESTLING_VMM_TRACE_H
#define NESTLING_VMM_TRACE_H

#include "vmm/vm.h"

/* Before the first VM is made, and when the last one has ended. */
void trace_open(void);
void trace_close(void);

/*
 * An exit has been served, from `start` to `end` by arch_clock; `before` is what the address space had counted before that.
 * Nothing is recorded of an exit that has nothing to do with memory.
 */
void trace_exit(struct vcpu *vcpu, const struct vm_exit *exit, uint64_t start, uint64_t end,
		const struct addr_space_stats *before);

#endif
