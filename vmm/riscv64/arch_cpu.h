/* SPDX-License-Identifier: BSD-2-Clause */
/* What a physical CPU has of its own on RISC-V; embedded by value in struct cpu. */
#ifndef NESTLING_VMM_RISCV64_ARCH_CPU_H
#define NESTLING_VMM_RISCV64_ARCH_CPU_H

#include "include/types.h"

struct cpu_arch {
	hpa_t control; /* memory that virtualization needs for each CPU */
};

/* The CPU that this runs on. */
struct cpu *arch_this_cpu(void);

#endif
