/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUs that the firmware's tables name, and those of them that wait in our memory to be started. */
#ifndef NESTLING_BOOT_AARCH64_PLACES_H
#define NESTLING_BOOT_AARCH64_PLACES_H

#include "boot/aarch64/secondary.h"
#include "drivers/aarch64/cpu_tables.h"

/* Read the tables; the firmware's map is in force. Returns how many CPUs they name: only the first CPU_MAX of them are known here.
 */
unsigned places_read(void);

/* The n-th one; NULL: there are no more. */
const struct cpu_place *places_get(unsigned n);

/* Of a CPU, by its affinity; NULL: the tables do not name it. */
const struct cpu_place *places_find(uint64_t affinity);

/*
 * Have the CPUs of spin tables that are to be used (cpus[]) wait in our own memory, before that of the firmware is unmapped. To be
 * called when the boot services have ended, since the program must not end after it.
 */
void places_take_pens(void);

/* Have one of those begin. False: it does not wait. */
bool places_open_pen(uint64_t affinity, const struct secondary *secondary);

/* Write back to memory what a CPU without caches reads: these bytes, and secondary.S. */
void places_clean(const void *from, const void *to);

#endif
