/* SPDX-License-Identifier: BSD-2-Clause */
/* One timer of a CPU serves the hypervisor and the guest that is resident: boot/x86_64/interrupts.c. */
#ifndef NESTLING_ARCH_X86_64_TIMER_H
#define NESTLING_ARCH_X86_64_TIMER_H

#include <stdint.h>

struct cpu;

/*
 * The resident guest's timer_due has changed: have this CPU, which is `cpu`, interrupted at that time, or at the deadline of
 * arch_timer_set, whichever is earlier. `now` is arch_clock.
 */
void arch_timer_rearm(struct cpu *cpu, uint64_t now);

#endif
