/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer of a guest's local APIC. The CPU's own timer serves the hypervisor and the guest that is resident: arch_timer_set
 * (boot/x86_64/interrupts.c) takes the earlier deadline. Counts are of TSC ticks. Intel SDM vol. 3 "APIC Timer".
 */
#include "include/arch/cpu.h"
#include "include/arch/virt.h"
#include "vmm/cpu.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/virt_ops.h"

#define LVT_MODE(lvt) ((enum timer_mode)((lvt) >> 17 & 3))
enum timer_mode { TIMER_ONE_SHOT = 0, TIMER_PERIODIC = 1, TIMER_TSC_DEADLINE = 2 };

/* "Divide Configuration Register": bits 3, 1 and 0; the last of the values is by 1. */
static unsigned divide_shift(const struct guest_apic *apic)
{
	unsigned value = (apic->timer_divide & 3) | (apic->timer_divide >> 1 & 4);

	return (value + 1) & 7;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > NEVER - b ? NEVER : a + b;
}

/*
 * While its interrupt is pending another one would be the same, so that a timer that is too fast for the guest does not keep it
 * from running.
 */
static void settle(struct vcpu *vcpu)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	uint32_t lvt = apic->lvt[LVT_TIMER];
	uint64_t due = lvt & LVT_MASKED || apic_has(apic->irr, (uint8_t)lvt) ? NEVER : apic->timer_deadline;

	if (__builtin_expect(due == apic->timer_due, false))
		return;
	apic->timer_due = due;
	if (due != NEVER)
		arch_timer_set(vcpu->cpu->arch.deadline);
}

static void set_deadline(struct vcpu *vcpu, uint64_t deadline)
{
	vcpu->arch.apic.timer_deadline = deadline;
	if (deadline <= arch_clock()) {
		vcpu->arch.apic.timer_due = NEVER;
		apic_look(vcpu);
	} else {
		settle(vcpu);
	}
}

static void disarm(struct guest_apic *apic)
{
	apic->timer_initial = 0;
	apic->tsc_deadline = 0;
	apic->timer_deadline = NEVER;
	apic->timer_due = NEVER;
}

void apic_timer_start(struct vcpu *vcpu, uint32_t initial)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	if (LVT_MODE(apic->lvt[LVT_TIMER]) == TIMER_TSC_DEADLINE)
		return;
	apic->timer_initial = initial;
	set_deadline(vcpu, initial ? add(arch_clock(), (uint64_t)initial << divide_shift(apic)) : NEVER);
}

/* A time that has passed is now; one beyond what the clock reaches does not come. */
static uint64_t host_time(struct vcpu *vcpu, uint64_t guest_tsc)
{
	uint64_t now = arch_clock(), guest_now = now + virt->get(vcpu, FIELD_TSC_OFFSET);

	return guest_tsc <= guest_now ? now : add(now, guest_tsc - guest_now);
}

void apic_timer_write_deadline(struct vcpu *vcpu, uint64_t value)
{
	if (LVT_MODE(vcpu->arch.apic.lvt[LVT_TIMER]) != TIMER_TSC_DEADLINE)
		return;
	vcpu->arch.apic.tsc_deadline = value;
	set_deadline(vcpu, value ? host_time(vcpu, value) : NEVER);
}

void apic_timer_tsc_changed(struct vcpu *vcpu)
{
	if (vcpu->arch.apic.tsc_deadline)
		apic_timer_write_deadline(vcpu, vcpu->arch.apic.tsc_deadline);
}

/* From and to TSC-deadline mode it is disarmed. */
void apic_timer_write_lvt(struct vcpu *vcpu, uint32_t value)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	if ((LVT_MODE(value) == TIMER_TSC_DEADLINE) != (LVT_MODE(apic->lvt[LVT_TIMER]) == TIMER_TSC_DEADLINE))
		disarm(apic);
	apic->lvt[LVT_TIMER] = value;
	set_deadline(vcpu, apic->timer_deadline);
}

uint32_t apic_timer_current(const struct vcpu *vcpu)
{
	const struct guest_apic *apic = &vcpu->arch.apic;
	uint64_t now = arch_clock();

	if (LVT_MODE(apic->lvt[LVT_TIMER]) == TIMER_TSC_DEADLINE || apic->timer_deadline == NEVER || apic->timer_deadline <= now)
		return 0;
	return (uint32_t)min_u64((apic->timer_deadline - now) >> divide_shift(apic), apic->timer_initial);
}

/* What comes after the firing at `deadline`. */
static uint64_t next_deadline(const struct guest_apic *apic, uint64_t deadline, uint64_t now)
{
	uint64_t period = (uint64_t)apic->timer_initial << divide_shift(apic);

	if (LVT_MODE(apic->lvt[LVT_TIMER]) != TIMER_PERIODIC || period == 0)
		return NEVER;
	return add(deadline, ((now - deadline) / period + 1) * period);
}

void apic_timer_look(struct vcpu *vcpu)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	uint32_t lvt = apic->lvt[LVT_TIMER];
	uint64_t now = arch_clock();

	if (now < apic->timer_deadline)
		return;
	apic->timer_deadline = next_deadline(apic, apic->timer_deadline, now);
	apic->tsc_deadline = 0;
	if (!(lvt & LVT_MASKED))
		apic_accept_unseen(vcpu, (uint8_t)lvt);
	settle(vcpu);
}

void apic_timer_taken(struct vcpu *vcpu)
{
	if (vcpu->arch.apic.timer_deadline != NEVER)
		settle(vcpu);
}
