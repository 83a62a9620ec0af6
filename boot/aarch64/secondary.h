/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU other than the first one begins with (secondary.S). Offsets are those of the assembly. */
#ifndef NESTLING_BOOT_AARCH64_SECONDARY_H
#define NESTLING_BOOT_AARCH64_SECONDARY_H

#define SECONDARY_TTBR  0
#define SECONDARY_MAIR  16
#define SECONDARY_HCR   32
#define SECONDARY_ENTRY 48
#define PEN_BYTES       16
#define PEN_GO          8

#ifndef __ASSEMBLER__

#include "vmm/cpu.h"

/* Read while translation is off, so past the caches: what has been written to it is cleaned to memory. */
struct secondary {
	uint64_t ttbr, tcr, mair, sctlr, hcr; /* of the CPU that starts it */
	void *stack_top;
	void (*entry)(struct cpu *cpu); /* with translation on, on that stack */
	struct cpu *cpu;
};

/* Where a CPU of a spin table waits, in our own memory, until `go` is set. */
struct pen {
	uint64_t affinity;
	const struct secondary *go;
};

/* The last one's affinity is no CPU's. */
extern struct pen pens[CPU_MAX + 1];

/* From PSCI's CPU_ON, with a struct secondary in x0; from a spin table. Translation is off, at EL2. */
extern const char secondary_entry[], pen_entry[], secondary_end[];

#endif
#endif
