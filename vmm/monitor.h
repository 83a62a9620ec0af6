/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: what Ctrl-] opens at the machine's console (docs/monitor.md). A line of a few words is read by whichever CPU looks
 * at the keyboard, and carried out by one that runs no vCPU (sched_errand), a piece at a time.
 */
#ifndef NESTLING_VMM_MONITOR_H
#define NESTLING_VMM_MONITOR_H

/* Open the keyboard, if there is one, with a monitor behind Ctrl-]. The timers of the CPUs run. */
void monitor_start(void);

#endif
