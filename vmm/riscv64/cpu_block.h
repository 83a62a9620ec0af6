/* SPDX-License-Identifier: BSD-2-Clause */
/* The block that a CPU's stacks lie in: its first word is the address of struct cpu. For assembly too. */
#ifndef NESTLING_VMM_RISCV64_CPU_BLOCK_H
#define NESTLING_VMM_RISCV64_CPU_BLOCK_H

#define CPU_BLOCK_SHIFT 17 /* boot/cpus.h has the size in pages; boot/riscv64/cpus.c checks that they agree */

#endif
