/* SPDX-License-Identifier: BSD-2-Clause */
/* Traps of the hypervisor's own, which boot/riscv64/ reports. */
#ifndef NESTLING_ARCH_RISCV64_TRAP_H
#define NESTLING_ARCH_RISCV64_TRAP_H

#include "include/types.h"

/* Where stvec points to while no guest may run, and where vmm/riscv64/entry.S hands on a trap that is not a guest's. Never returns.
 */
extern const char trap_entry[];

/* scause in words: "load page fault", "illegal instruction", ... */
const char *cause_name(uint64_t scause);

#endif
