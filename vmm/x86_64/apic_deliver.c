/* SPDX-License-Identifier: BSD-2-Clause */
/* What is pending in a local APIC comes to its vCPU: apic_attend.h. Here is what both vendors have in common, and what is rare. */
#include "vmm/x86_64/apic_attend.h"

#include "include/arch/virt.h"

static bool virt_accepts(struct vcpu *vcpu, unsigned window)
{
	return virt->accepts(vcpu, window);
}

static void virt_inject_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	virt->inject_interrupt(vcpu, vector);
}

static void virt_set_windows(struct vcpu *vcpu, unsigned windows)
{
	virt->set_windows(vcpu, windows);
}

static uint64_t virt_task_priority(struct vcpu *vcpu)
{
	return virt->get(vcpu, FIELD_CR8);
}

static const struct apic_delivery delivery = {
	.accepts = virt_accepts,
	.inject_interrupt = virt_inject_interrupt,
	.set_windows = virt_set_windows,
	.task_priority = virt_task_priority,
};

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

void apic_deliver_all(struct vcpu *vcpu)
{
	apic_timer_serve(vcpu);
	apic_deliver(vcpu, &delivery, deliver_nmi(vcpu));
	/* Where nothing exits for it: at the next slow exit. */
	if (vcpu->arch.apic.windows & WINDOW_NMI)
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
	apic_deliver_all(vcpu);
}

static bool wakes(struct vcpu *vcpu, bool takes_interrupts)
{
	unsigned window = 0;

	if (vcpu->arch.apic.nmi_pending || __atomic_load_n(&vcpu->arch.apic.requests, __ATOMIC_ACQUIRE))
		return true;
	return takes_interrupts && deliverable(vcpu, &delivery, &window);
}

/* vcpu->again, too: it may have been woken for nothing. */
void apic_halt(struct vcpu *vcpu)
{
	bool takes_interrupts = virt->get(vcpu, FIELD_RFLAGS) & RFLAGS_IF;

	vcpu->again = NULL;
	apic_timer_serve(vcpu);
	if (wakes(vcpu, takes_interrupts)) {
		apic_look(vcpu);
		return;
	}
	vcpu->again = apic_halt;
	vcpu->wake_at = takes_interrupts ? vcpu->arch.apic.timer_due : NEVER;
	vcpu->leave_why = NULL;
	vcpu->leave = LEAVE_WAIT;
}

void apic_take_back(struct vcpu *vcpu, uint8_t vector)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	apic->isr[vector / 64] &= ~BIT(vector % 64);
	if (apic_served(apic) == vector) /* as it is: it was injected last */
		apic->serving--;
	__atomic_fetch_or(&apic->irr[vector / 64], BIT(vector % 64), __ATOMIC_RELAXED);
	apic_look(vcpu);
}

void apic_take_back_nmi(struct vcpu *vcpu)
{
	vcpu->arch.apic.nmi_pending = true;
	apic_look(vcpu);
}
