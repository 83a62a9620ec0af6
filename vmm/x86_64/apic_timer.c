/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer of a guest's local APIC. The CPU's own timer serves the hypervisor and the guest that is resident: arch_timer_set
 * (boot/x86_64/interrupts.c) takes the earlier deadline. Counts are of TSC ticks. Intel SDM vol. 3 "APIC Timer".
 */
#include "include/arch/cpu.h"
#include "include/arch/virt.h"
#include "vmm/cpu.h"
#include "vmm/x86_64/apic_timer.h"
#include "vmm/x86_64/virt_ops.h"

static void set_deadline(struct vcpu *vcpu, uint64_t deadline)
{
	uint64_t now = arch_clock();

	if (apic_timer_put(vcpu, deadline, now))
		apic_look(vcpu);
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
	set_deadline(vcpu, initial ? apic_time_add(arch_clock(), (uint64_t)initial << apic_divide_shift(apic)) : NEVER);
}

void apic_timer_write_deadline(struct vcpu *vcpu, uint64_t value)
{
	uint64_t now = arch_clock();

	if (LVT_MODE(vcpu->arch.apic.lvt[LVT_TIMER]) == TIMER_TSC_DEADLINE &&
	    apic_timer_put_deadline(vcpu, value, now, virt->get(vcpu, FIELD_TSC_OFFSET)))
		apic_look(vcpu);
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
	return (uint32_t)min_u64((apic->timer_deadline - now) >> apic_divide_shift(apic), apic->timer_initial);
}

void apic_timer_look(struct vcpu *vcpu)
{
	uint64_t now = arch_clock();

	if (now >= vcpu->arch.apic.timer_deadline)
		apic_timer_fire(vcpu, now);
}

void apic_timer_settle(struct vcpu *vcpu)
{
	apic_timer_arm(vcpu, arch_clock());
}
