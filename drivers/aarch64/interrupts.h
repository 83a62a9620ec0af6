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

/* List registers of the machine's GIC (vmm/devices/vgic_lists.h). */
struct interrupts_lists {
	uint64_t gich, gicv; /* a GICv2's: the control interface, which the hypervisor's map has, and the guest's; else 0 */
	unsigned timers[GUEST_TIMERS]; /* the numbers of the interrupts of EL1's timers, by enum guest_timer */
};

/*
 * Are there any? Then a guest's interrupts can be linked to those of EL1's timers, and such a one is opened when the
 * guest ends its own. For the first CPU, before arch_interrupts_start; the hypervisor's map is in force.
 */
bool interrupts_have_lists(struct interrupts_lists *lists);
/* This CPU is to be interrupted by what a GICv2's list registers tell of, or not; at first it is not. */
void interrupts_listen_to_lists(bool listen);

/* From now on there is none: its registers are not where the tables say. */
void interrupts_forget(void);
/* The n-th range of its registers is not where the tables say: either there are no list registers, or the controller is forgotten.
 */
void interrupts_refuse(unsigned n);

#endif
