/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits that concern memory, as records for programs: docs/debugging.md lists the fields. They are written beside the console's
 * text (console_record), one JSON object each, between one that opens the trace and one that holds their number.
 */
#ifndef NESTLING_VMM_TRACE_JSON_H
#define NESTLING_VMM_TRACE_JSON_H

#include "vmm/vm.h"

/* To be called before the first VM is made, and after the last one has ended. */
void trace_json_open(void);
void trace_json_close(void);

/*
 * An exit has been served, from `start` to `end` by arch_cost_clock; `before` holds the counters of the vCPU's view of its memory
 * at `start`. An exit that does not concern memory is not recorded.
 */
void trace_json_exit(struct vcpu *vcpu, const struct vm_exit *exit, uint64_t start, uint64_t end,
		     const struct addr_space_stats *before);

#endif
