/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt controller for who starts CPUs. The rest is include/arch/cpu.h's. */
#ifndef NESTLING_DRIVERS_AARCH64_INTERRUPTS_H
#define NESTLING_DRIVERS_AARCH64_INTERRUPTS_H

#include "drivers/platform.h"

/* Find it in the firmware's tables; the firmware's map is in force. */
void interrupts_find(const struct platform *platform);

/* The n-th range of its registers, whole pages. False: there are no more. */
bool interrupts_region(unsigned n, hpa_t *start, uint64_t *size);

/* From now on there is none: its registers are not where the tables say. */
void interrupts_forget(void);

#endif
