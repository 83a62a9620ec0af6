/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The deadline of a guest's timer is set: for apic_timer.c, and for the fast path of exits. Times are of arch_clock; the vCPU is
 * resident here. Intel SDM vol. 3 "APIC Timer".
 */
#ifndef NESTLING_VMM_X86_64_APIC_TIMER_H
#define NESTLING_VMM_X86_64_APIC_TIMER_H

#include "include/arch/x86_64/timer.h"
#include "vmm/cpu.h"
#include "vmm/x86_64/apic.h"

#define LVT_MODE(lvt) ((enum timer_mode)((lvt) >> 17 & 3))
enum timer_mode { TIMER_ONE_SHOT = 0, TIMER_PERIODIC = 1, TIMER_TSC_DEADLINE = 2 };

static inline uint64_t apic_time_add(uint64_t a, uint64_t b)
{
	return a > NEVER - b ? NEVER : a + b;
}

/*
 * While its interrupt is pending another one would be the same, so that a timer that is too fast for the guest does not keep it
 * from running.
 */
static inline __attribute__((always_inline)) void apic_timer_arm(struct vcpu *vcpu, uint64_t now)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	uint32_t lvt = apic->lvt[LVT_TIMER];
	uint64_t due = lvt & LVT_MASKED || apic_has(apic->irr, (uint8_t)lvt) ? NEVER : apic->timer_deadline;

	if (__builtin_expect(due == apic->timer_due, false))
		return;
	apic->timer_due = due;
	if (due != NEVER)
		arch_timer_rearm(vcpu->cpu, now);
}

/* True: it has come already, and is looked at by who looks at what is pending. */
static inline __attribute__((always_inline)) bool apic_timer_put(struct vcpu *vcpu, uint64_t deadline, uint64_t now)
{
	vcpu->arch.apic.timer_deadline = deadline;
	if (deadline <= now) {
		vcpu->arch.apic.timer_due = NEVER;
		return true;
	}
	apic_timer_arm(vcpu, now);
	return false;
}

/* A time that has passed is now; one beyond what the clock reaches does not come. */
static inline uint64_t apic_host_time(uint64_t guest_tsc, uint64_t now, uint64_t tsc_offset)
{
	uint64_t guest_now = now + tsc_offset;

	return guest_tsc <= guest_now ? now : apic_time_add(now, guest_tsc - guest_now);
}

/* IA32_TSC_DEADLINE in its mode; the guest's TSC is `tsc_offset` ahead. True: as apic_timer_put. */
static inline __attribute__((always_inline)) bool apic_timer_put_deadline(struct vcpu *vcpu, uint64_t value, uint64_t now,
									  uint64_t tsc_offset)
{
	vcpu->arch.apic.tsc_deadline = value;
	return apic_timer_put(vcpu, value ? apic_host_time(value, now, tsc_offset) : NEVER, now);
}

/* "Divide Configuration Register": bits 3, 1 and 0; the last of the values is by 1. */
static inline unsigned apic_divide_shift(const struct guest_apic *apic)
{
	unsigned value = (apic->timer_divide & 3) | (apic->timer_divide >> 1 & 4);

	return (value + 1) & 7;
}

/* What comes after the firing at `deadline`. */
static inline uint64_t apic_timer_next(const struct guest_apic *apic, uint64_t deadline, uint64_t now)
{
	uint64_t period;

	if (LVT_MODE(apic->lvt[LVT_TIMER]) != TIMER_PERIODIC)
		return NEVER;
	period = (uint64_t)apic->timer_initial << apic_divide_shift(apic);
	return period == 0 ? NEVER : apic_time_add(deadline, ((now - deadline) / period + 1) * period);
}

/* Its time has come, which is set: it fires; by who looks at what is pending next. */
static inline __attribute__((always_inline)) void apic_timer_fire(struct vcpu *vcpu, uint64_t now)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	uint32_t lvt = apic->lvt[LVT_TIMER];
	bool fresh;

	apic->timer_deadline = apic_timer_next(apic, apic->timer_deadline, now);
	apic->tsc_deadline = 0;
	if (!(lvt & LVT_MASKED))
		(void)apic_request_vector(vcpu, (uint8_t)lvt, false, &fresh);
	if (apic->timer_deadline == NEVER)
		apic->timer_due = NEVER;
	else
		apic_timer_settle(vcpu);
}

#endif
