/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of vmm/x86_64/arch_cpu.h: threads are CPUs, and each says which one it is. */
#ifndef NESTLING_TESTS_ARCH_X86_64_ARCH_CPU_H
#define NESTLING_TESTS_ARCH_X86_64_ARCH_CPU_H

#include "vmm/x86_64/cpu_arch.h"

/* Of the thread; NULL until the test sets it. Weak, so that each file may define it. */
__thread struct cpu *test_this_cpu __attribute__((weak));

static inline struct cpu *arch_this_cpu(void)
{
	return test_this_cpu;
}

#endif
