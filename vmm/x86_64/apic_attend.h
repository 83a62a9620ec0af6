/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is pending in a local APIC comes to its vCPU, which is resident here: compiled once for both vendors (apic_deliver.c), and
 * once more into the fast path of who has one for this. An interrupt goes from IRR to ISR when it is injected, so it is injected
 * once; an exit in the middle of its delivery injects it again (exit.c of either vendor). Intel SDM vol. 3 "Interrupt Acceptance
 * for Fixed Interrupts", "Task and Processor Priorities".
 */
#ifndef NESTLING_VMM_X86_64_APIC_ATTEND_H
#define NESTLING_VMM_X86_64_APIC_ATTEND_H

#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/virt_ops.h"

#define PRIORITY(vector) ((vector) >> 4)

/* As virt_ops has them; the task priority is that of CR8. */
struct apic_delivery {
	bool (*accepts)(struct vcpu *vcpu, unsigned window);
	void (*inject_interrupt)(struct vcpu *vcpu, uint8_t vector);
	void (*set_windows)(struct vcpu *vcpu, unsigned windows);
	uint64_t (*task_priority)(struct vcpu *vcpu);
};

/* Of ISR and IRR bits only this vCPU changes 1 to 0. */
static inline void begin_service(struct guest_apic *apic, unsigned vector)
{
	uint64_t bit = BIT(vector % 64);

	__atomic_fetch_and(&apic->irr[vector / 64], ~bit, __ATOMIC_RELAXED);
	apic->isr[vector / 64] |= bit;
	apic->service[++apic->serving] = (uint8_t)vector;
}

/* The vector that can be delivered now; 0: none. If it is the task priority alone that holds one back, `*window` says so. */
static inline __attribute__((always_inline)) unsigned deliverable(struct vcpu *vcpu, const struct apic_delivery *by,
								  unsigned *window)
{
	const struct guest_apic *apic = &vcpu->arch.apic;
	unsigned vector = apic_highest(apic->irr);

	if (vector == 0 || !apic_is_enabled(apic) || PRIORITY(vector) <= PRIORITY(apic_served(apic)))
		return 0;
	if (PRIORITY(vector) > by->task_priority(vcpu))
		return vector;
	*window = WINDOW_PRIORITY;
	return 0;
}

/* What it has to exit for, if it cannot take the interrupt now. */
static inline __attribute__((always_inline)) unsigned deliver_interrupt(struct vcpu *vcpu, const struct apic_delivery *by)
{
	unsigned window = 0, vector = deliverable(vcpu, by, &window);

	if (vector == 0)
		return window;
	if (!by->accepts(vcpu, WINDOW_INTERRUPT))
		return WINDOW_INTERRUPT;
	begin_service(&vcpu->arch.apic, vector);
	by->inject_interrupt(vcpu, (uint8_t)vector);
	if (vector == (uint8_t)vcpu->arch.apic.lvt[LVT_TIMER])
		apic_timer_taken(vcpu);
	return 0;
}

/* What is pending but an NMI, for which the vCPU exits by `windows`. */
static inline __attribute__((always_inline)) void apic_deliver(struct vcpu *vcpu, const struct apic_delivery *by, unsigned windows)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	windows |= deliver_interrupt(vcpu, by);
	if (windows == apic->windows)
		return;
	apic->windows = (uint8_t)windows;
	by->set_windows(vcpu, windows);
}

/* apic_deliver.c: all that is pending, in whatever state the guest is. The timer's time may have come without an interrupt. */
void apic_deliver_all(struct vcpu *vcpu);

/* Nobody has to be asked to look any more. False: what has been asked for changes the vCPU's registers. */
static inline bool apic_take_attention(struct vcpu *vcpu)
{
	(void)__atomic_exchange_n(&vcpu->attention, 0, __ATOMIC_ACQUIRE);
	return !__atomic_load_n(&vcpu->arch.apic.requests, __ATOMIC_RELAXED);
}

#endif
