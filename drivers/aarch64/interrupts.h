/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt controller for who starts CPUs. The rest is include/arch/cpu.h's. */
#ifndef NESTLING_DRIVERS_AARCH64_INTERRUPTS_H
#define NESTLING_DRIVERS_AARCH64_INTERRUPTS_H

#include "drivers/platform.h"

/* Find it in the firmware's tables; the firmware's map is in force. */
void interrupts_find(const struct platform *platform);

/* The n-th range of its registers, whole pages. False: there are no more. */
bool interrupts_region(unsigned n, hpa_t *start, uint64_t *size);

/* EL1's timers. */
enum guest_timer { GUEST_TIMER_VIRTUAL, GUEST_TIMER_PHYSICAL, GUEST_TIMERS };

/*
 * Which of EL1's timers, a mask of BIT(enum guest_timer), may interrupt this CPU. One that does is closed when it is taken
 * (arch_interrupts_take), until it is opened again here.
 */
void interrupts_open_timers(unsigned open);

/*
 * Has this machine a GICv3 with list registers? Then EL1's timers have interrupts by which a guest's can be linked, and such
 * a one is opened when the guest ends its own. `physical` gets their numbers, by enum guest_timer.
 */
bool interrupts_have_lists(unsigned physical[GUEST_TIMERS]);
/* Guests have ended those of this CPU, before others were taken perhaps. */
void interrupts_timers_ended(unsigned timers);

/* From now on there is none: its registers are not where the tables say. */
void interrupts_forget(void);

#endif
