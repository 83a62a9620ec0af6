/* SPDX-License-Identifier: BSD-2-Clause */
/* scause in words, for reports. */
#ifndef NESTLING_ARCH_RISCV64_CAUSE_H
#define NESTLING_ARCH_RISCV64_CAUSE_H

#include "include/types.h"

/* "load page fault", "illegal instruction", ... */
const char *cause_name(uint64_t scause);

#endif
