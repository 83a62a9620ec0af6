/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a hart's next trap finds its stack; for trap_entry.S too, so traps.c checks the offsets. */
#ifndef NESTLING_BOOT_RISCV64_TRAP_STACK_H
#define NESTLING_BOOT_RISCV64_TRAP_STACK_H

#include "vmm/riscv64/cpu_block.h"

#define TRAP_STACK_BLOCK 0
#define TRAP_STACK_TOP   8
#define TRAP_STACK_ROW   16

#ifndef __ASSEMBLER__

#include "include/types.h"

struct trap_stack {
	uint64_t block; /* the address of the CPU's block of stacks; 0: the last row */
	void *top;
};

#endif

#endif
