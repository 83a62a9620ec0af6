/* SPDX-License-Identifier: BSD-2-Clause */
/* What the runtime's files for AArch64 share. */
#ifndef NESTLING_GUEST_RT_AARCH64_CPU_H
#define NESTLING_GUEST_RT_AARCH64_CPU_H

#include <stddef.h>
#include <stdint.h>

/* HVC #0 with x0 to x3, which hold the results afterwards, and x4. */
void rt_hvc(uint64_t x[4], uint64_t fourth);

/*
 * Make an identity map and turn this CPU's MMU and caches on: exclusive accesses, which atomics are made of, are for memory that
 * can be cached (Arm ARM DDI 0487, "Exclusive access instructions and Shareable memory locations").
 */
void rt_mmu_begin(void);

/* Have memory that was written with caches on be seen by a CPU whose MMU is off. */
void rt_clean(const void *from, size_t size);

#endif
