/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is pending in a local APIC comes to its vCPU. An interrupt goes from IRR to ISR when it is injected, so it is injected once;
 * an exit in the middle of its delivery injects it again (exit.c of either vendor). Intel SDM vol. 3 "Interrupt Acceptance for
 * Fixed Interrupts", "Task and Processor Priorities".
 */
#include "include/arch/virt.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/virt_ops.h"

#define PRIORITY(vector) ((vector) >> 4)

/* Of ISR and IRR bits only this vCPU changes 1 to 0. */
static void begin_service(struct guest_apic *apic, uint8_t vector)
{
	__atomic_fetch_and(&apic->irr[vector / 64], ~BIT(vector % 64), __ATOMIC_RELAXED);
	apic->isr[vector / 64] |= BIT(vector % 64);
}

/* The vector that can be delivered now; 0: none. If it is the task priority alone that holds one back, `*window` says so. */
static unsigned deliverable(struct vcpu *vcpu, unsigned *window)
{
	const struct guest_apic *apic = &vcpu->arch.apic;
	unsigned vector = apic_highest(apic->irr);

	if (vector == 0 || !apic_is_enabled(apic) || PRIORITY(vector) <= PRIORITY(apic_highest(apic->isr)))
		return 0;
	if (PRIORITY(vector) > virt->get(vcpu, FIELD_CR8))
		return vector;
	*window = WINDOW_PRIORITY;
	return 0;
}

/* What it has to exit for, if it cannot take the interrupt now. */
static unsigned deliver_interrupt(struct vcpu *vcpu)
{
	unsigned window = 0, vector = deliverable(vcpu, &window);

	if (vector == 0)
		return window;
	if (!virt->accepts(vcpu, WINDOW_INTERRUPT))
		return WINDOW_INTERRUPT;
	begin_service(&vcpu->arch.apic, (uint8_t)vector);
	virt->inject_interrupt(vcpu, (uint8_t)vector);
	if (vector == (uint8_t)vcpu->arch.apic.lvt[LVT_TIMER])
		apic_timer_taken(vcpu);
	return 0;
}

static unsigned deliver_nmi(struct vcpu *vcpu)
{
	if (!vcpu->arch.apic.nmi_pending)
		return 0;
	if (!virt->accepts(vcpu, WINDOW_NMI))
		return WINDOW_NMI;
	vcpu->arch.apic.nmi_pending = false;
	virt->inject_nmi(vcpu);
	return 0;
}

/* A vCPU begins anew, where it is. */
static void start_up(struct vcpu *vcpu)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	__atomic_store_n(&apic->waits_for_startup, false, __ATOMIC_RELAXED);
	arch_vcpu_put(vcpu);
	vcpu_reset_real(vcpu, (uint64_t)__atomic_load_n(&apic->startup_vector, __ATOMIC_RELAXED) << PAGE_SHIFT);
	arch_vcpu_get(vcpu);
}

/* vcpu->again: between INIT and a start-up IPI. SDM, "MP Initialization Protocol Algorithm". */
static void wait_for_startup(struct vcpu *vcpu)
{
	vcpu->again = NULL;
	if (__atomic_exchange_n(&vcpu->arch.apic.requests, 0, __ATOMIC_ACQUIRE) & REQUEST_STARTUP) {
		start_up(vcpu);
		return;
	}
	vcpu->again = wait_for_startup;
	vcpu->wake_at = NEVER;
	vcpu->leave_why = "was reset, and nobody starts it";
	vcpu->leave = LEAVE_WAIT;
}

/* A start-up IPI may have come already. */
static void begin_init(struct vcpu *vcpu, unsigned requests)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	apic_reset_registers(apic);
	__atomic_store_n(&apic->waits_for_startup, true, __ATOMIC_RELAXED);
	__atomic_fetch_or(&apic->requests, requests & REQUEST_STARTUP, __ATOMIC_RELAXED);
	wait_for_startup(vcpu);
}

static void take_requests(struct vcpu *vcpu)
{
	unsigned requests = __atomic_exchange_n(&vcpu->arch.apic.requests, 0, __ATOMIC_ACQUIRE);

	if (requests & REQUEST_NMI)
		vcpu->arch.apic.nmi_pending = true;
	if (requests & REQUEST_INIT)
		begin_init(vcpu, requests);
}

static void set_windows(struct vcpu *vcpu, unsigned windows)
{
	if (windows == vcpu->arch.apic.windows)
		return;
	vcpu->arch.apic.windows = (uint8_t)windows;
	virt->set_windows(vcpu, windows);
}

static void deliver(struct vcpu *vcpu)
{
	unsigned windows;

	apic_timer_serve(vcpu);
	windows = deliver_nmi(vcpu);
	windows |= deliver_interrupt(vcpu);
	set_windows(vcpu, windows);
	/* Where nothing exits for it: at the next slow exit. */
	if (windows & WINDOW_NMI)
		apic_look(vcpu);
}

/* Not while an exit is still being served, whose guest is not entered before that is done. */
void arch_vcpu_deliver(struct vcpu *vcpu)
{
	if (vcpu->leave == LEAVE_OFF)
		return;
	if (!vcpu->again && __atomic_load_n(&vcpu->arch.apic.requests, __ATOMIC_RELAXED))
		take_requests(vcpu);
	if (vcpu->again) {
		apic_look(vcpu);
		return;
	}
	deliver(vcpu);
}

bool apic_attend(struct vcpu *vcpu)
{
	if (!__atomic_load_n(&vcpu->attention, __ATOMIC_RELAXED) || !__atomic_exchange_n(&vcpu->attention, 0, __ATOMIC_ACQUIRE))
		return true;
	if (__atomic_load_n(&vcpu->arch.apic.requests, __ATOMIC_RELAXED)) {
		apic_look(vcpu);
		return false;
	}
	deliver(vcpu);
	return true;
}

static bool wakes(struct vcpu *vcpu)
{
	unsigned window = 0;

	if (vcpu->arch.apic.nmi_pending || __atomic_load_n(&vcpu->arch.apic.requests, __ATOMIC_ACQUIRE))
		return true;
	return virt->get(vcpu, FIELD_RFLAGS) & RFLAGS_IF && deliverable(vcpu, &window);
}

/* vcpu->again, too: it may have been woken for nothing. */
void apic_halt(struct vcpu *vcpu)
{
	vcpu->again = NULL;
	apic_timer_serve(vcpu);
	if (wakes(vcpu)) {
		apic_look(vcpu);
		return;
	}
	vcpu->again = apic_halt;
	vcpu->wake_at = virt->get(vcpu, FIELD_RFLAGS) & RFLAGS_IF ? vcpu->arch.apic.timer_due : NEVER;
	vcpu->leave_why = NULL;
	vcpu->leave = LEAVE_WAIT;
}

void apic_take_back(struct vcpu *vcpu, uint8_t vector)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	apic->isr[vector / 64] &= ~BIT(vector % 64);
	__atomic_fetch_or(&apic->irr[vector / 64], BIT(vector % 64), __ATOMIC_RELAXED);
	apic_look(vcpu);
}

void apic_take_back_nmi(struct vcpu *vcpu)
{
	vcpu->arch.apic.nmi_pending = true;
	apic_look(vcpu);
}
