/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUs that the firmware's tables name, and how each is started. */
#ifndef NESTLING_DRIVERS_AARCH64_CPU_TABLES_H
#define NESTLING_DRIVERS_AARCH64_CPU_TABLES_H

#include "drivers/platform.h"

/* Of MPIDR_EL1: the affinity fields, by which tables and firmware name a CPU. */
#define MPIDR_AFFINITY (BITS(39, 32) | BITS(23, 0))

struct cpu_place {
	uint64_t affinity;
	enum cpu_start {
		CPU_START_NONE, /* no way that is known here */
		CPU_START_PSCI, /* by PSCI's CPU_ON, by SMC */
		CPU_START_SPIN, /* it spins until the address where it is to go on is written to `release` */
	} start;
	uint64_t release;
};

/*
 * The CPUs that can be used, in the order of the device tree, or of ACPI's tables where there is none, at most `room`. Returns how
 * many there are, which may be more than `room`. The firmware's map is in force.
 */
unsigned cpu_tables_read(const struct platform *platform, struct cpu_place *places, unsigned room);

#endif
