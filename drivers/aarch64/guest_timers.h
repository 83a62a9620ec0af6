/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupts of EL1's timers: each comes once, until it is opened again. */
#ifndef NESTLING_DRIVERS_AARCH64_GUEST_TIMERS_H
#define NESTLING_DRIVERS_AARCH64_GUEST_TIMERS_H

#include "drivers/aarch64/interrupts.h"
#include "include/arch/cpu.h"

/* What the following does where it is not so already. */
void interrupts_change_timers(struct cpu *cpu, unsigned open);
/*
 * Which of EL1's timers, a mask of BIT(enum guest_timer), may interrupt this CPU. One that does is closed when it is taken
 * (arch_interrupts_take), until it is opened again here.
 */
static inline void interrupts_open_timers(unsigned open)
{
	struct cpu *cpu = arch_this_cpu();

	if (cpu->arch.open_timers != open)
		interrupts_change_timers(cpu, open);
}

/* Guests have ended those of this CPU, before others were taken perhaps. */
static inline void interrupts_timers_ended(unsigned timers)
{
	struct cpu_arch *arch = &arch_this_cpu()->arch;

	arch->open_timers |= (uint8_t)(timers & ~(unsigned)arch->taken_timers);
	arch->taken_timers = 0;
}

#endif
