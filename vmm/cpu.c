/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the machine's CPUs. */
#include "vmm/cpu.h"

struct cpu cpus[CPU_MAX];
unsigned cpu_count = 1;
