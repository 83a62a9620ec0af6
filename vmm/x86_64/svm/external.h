/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVM: interrupts for a guest, for virt_ops (external.c) and for the fast path (serve.c). Sources: AMD APM vol. 2 "Event
 * Injection", "Virtual Interrupts", "Interrupt Shadows".
 */
#ifndef NESTLING_VMM_X86_64_SVM_EXTERNAL_H
#define NESTLING_VMM_X86_64_SVM_EXTERNAL_H

#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/svm/svm.h"

/* Is the guest in a shadow, or was it so when an interrupt of the machine's came? */
static inline bool svm_in_shadow(const struct svm_vcpu *svm)
{
	return svm->vmcb->int_state & INT_STATE_SHADOW || svm->vmcb->rip == svm->shadow_at;
}

/* Could the guest take an interrupt at its next entry, if it is in no shadow? */
static inline bool svm_takes_interrupt(const struct vmcb *vmcb)
{
	return !(vmcb->event_inj & EVENT_VALID) && vmcb->rflags & RFLAGS_IF;
}

static inline void svm_put_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	vcpu->arch.svm.vmcb->event_inj = vector | (uint64_t)EVENT_INTERRUPT << 8 | EVENT_VALID;
}

/*
 * The exit for an interrupt is that of a virtual one, which the guest would take as soon as IF and its shadow let it; it is never
 * delivered. Nothing exits when an NMI could be taken but for IRET.
 */
static inline void svm_open_windows(struct vcpu *vcpu, unsigned windows)
{
	const uint64_t virtual = INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR;
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	uint64_t int_ctl = vmcb->int_ctl & ~virtual;
	uint32_t misc1 = vmcb->intercept_misc1 & ~(uint32_t)INTERCEPT_VINTR;

	if (windows & WINDOW_INTERRUPT) {
		int_ctl |= virtual;
		misc1 |= (uint32_t)INTERCEPT_VINTR;
	}
	vmcb->int_ctl = int_ctl;
	vmcb->intercept_misc1 = misc1;
	if (windows & WINDOW_PRIORITY)
		vmcb->intercept_cr_write |= (uint16_t)BIT(8);
	else
		vmcb->intercept_cr_write &= (uint16_t)~BIT(8);
}

#endif
