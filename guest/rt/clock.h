/* SPDX-License-Identifier: BSD-2-Clause */
/* What time it is: how long a program has waited, beside how long it has run (RT_MEMORY_CPU_TIME). */
#ifndef NESTLING_GUEST_RT_CLOCK_H
#define NESTLING_GUEST_RT_CLOCK_H

#include <stdint.h>

/* Microseconds that have passed since some time before. The first call may take some 20 ms of CPU time. */
uint64_t rt_clock_us(void);

/* What each ISA offers: a counter that goes on while the vCPU waits, and how often a second; 0: the platform does not say. */
uint64_t rt_arch_ticks(void);
uint64_t rt_arch_tick_rate(void);

#endif
