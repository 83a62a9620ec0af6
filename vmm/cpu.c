/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the machine's CPUs. */
#include "vmm/cpu.h"

struct cpu cpus[CPU_MAX] = { [0 ... CPU_MAX - 1] = { .queue.lock = SPINLOCK(LOCK_QUEUE) } };
unsigned cpu_count = 1;
