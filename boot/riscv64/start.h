/* SPDX-License-Identifier: BSD-2-Clause */
/* What a started hart is given; cpus.c checks the offsets. */
#ifndef NESTLING_BOOT_RISCV64_START_H
#define NESTLING_BOOT_RISCV64_START_H

#define HART_START_SATP 0
#define HART_START_CPU  8
#define HART_START_SIZE 16

#ifndef __ASSEMBLER__

#include "vmm/cpu.h"

struct hart_start {
	uint64_t satp;
	struct cpu *cpu;
};

/* start.S: to be called by the firmware, with translation off. */
extern const char hart_start[];

#endif

#endif
