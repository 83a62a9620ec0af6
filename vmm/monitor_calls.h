/* SPDX-License-Identifier: BSD-2-Clause */
/* What the monitor can do: its commands. */
#ifndef NESTLING_VMM_MONITOR_CALLS_H
#define NESTLING_VMM_MONITOR_CALLS_H

enum monitor_result {
	MONITOR_DONE,
	MONITOR_CLOSE, /* and what is typed next is for a VM */
	MONITOR_AGAIN, /* there is more to do: call it again, with the same line */
};

/*
 * Carry out a line, which is not empty, or a piece of it. Commands are words, of which a beginning is enough that no other one has.
 * With no lock held, on a CPU on which no vCPU is resident.
 */
enum monitor_result monitor_call(const char *line);

#endif
