/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine's device tree says about its harts, and above all about the one that runs us. Without a tree, nothing. */
#ifndef NESTLING_DRIVERS_RISCV64_HART_H
#define NESTLING_DRIVERS_RISCV64_HART_H

#include "include/types.h"

/*
 * The ids of the harts that may be used, at most `room`, the one that runs us first: those that are enabled and have all that it
 * has. Returns how many there are; 0 when the tree does not say. If the firmware has not named the hart that runs us, it is taken
 * to be the first of the tree.
 */
unsigned hart_find(uint64_t *ids, unsigned room);

/* Of the hart that runs us. Is the extension ("zba", "sstc", or one letter) listed? Case does not matter. */
bool hart_has_extension(const char *name);

/* Bytes that one instruction of Zicbom works on, and one of Zicboz; 0 when the tree does not say. */
uint32_t hart_cache_block(void);
uint32_t hart_zero_block(void);

/* "riscv,sv48"; NULL when the tree does not say. */
const char *hart_mmu_type(void);

/*
 * Frequency of the `time` counter; 0 when the firmware's tables do not say. It is read beforehand, once: ACPI's tables do not stay,
 * and a search of a tree takes too long for each slice.
 */
uint32_t hart_timebase_hz(void);
void hart_read_timebase(void);

#endif
