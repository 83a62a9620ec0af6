/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVM: interrupts and NMIs for a guest. Sources: AMD APM vol. 2 "Event Injection", "Virtual Interrupts", "Nested Paging and
 * #VMEXIT", "Interrupt Shadows".
 */
#include "vmm/x86_64/svm/external.h"

#include "vmm/x86_64/guest_walk.h"

#define OPCODE_HLT 0xf4

/* An NMI holds up others until the IRET of its handler is over. Its exit comes before it, so it is over when RIP has changed. */
static bool nmi_is_held(struct svm_vcpu *svm)
{
	if (svm->nmi_ends_at == svm->vmcb->rip)
		return true;
	svm->nmi_ends_at = SVM_NO_RIP;
	return svm->nmi_held;
}

/*
 * HLT in the shadow of STI, with an interrupt that waits for the end of the shadow: it would be woken at once, so it is passed.
 * QEMU 7.2's VMRUN forgets the shadow (helper_vmrun does not read it), and the guest would take the interrupt before the HLT, which
 * then waits for one that has been. So does the next exit, if the HLT has not been executed yet: shadow_at remembers.
 */
static void pass_halt(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	uint8_t code;

	if (vmcb->rflags & RFLAGS_IF && vmcb->cpl == 0 && peek_guest(vcpu, GVA(vmcb->cs.base + vmcb->rip), &code, 1) == 1 &&
	    code == OPCODE_HLT)
		svm_complete_at(vmcb, vmcb->rip + 1, 0);
}

bool svm_accepts(struct vcpu *vcpu, unsigned window)
{
	struct svm_vcpu *svm = &vcpu->arch.svm;

	if (svm_in_shadow(svm))
		pass_halt(vcpu);
	if (svm->vmcb->event_inj & EVENT_VALID || svm->vmcb->int_state & INT_STATE_SHADOW)
		return false;
	return window == WINDOW_NMI ? !nmi_is_held(svm) : svm_takes_interrupt(svm->vmcb);
}

void svm_inject_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	svm_put_interrupt(vcpu, vector);
}

static void hold_nmis(struct svm_vcpu *svm, bool hold)
{
	svm->nmi_held = hold;
	if (hold)
		svm->vmcb->intercept_misc1 |= (uint32_t)INTERCEPT_IRET;
	else
		svm->vmcb->intercept_misc1 &= ~(uint32_t)INTERCEPT_IRET;
}

void svm_inject_nmi(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = &vcpu->arch.svm;

	svm->vmcb->event_inj = VECTOR_NMI | EVENT_NMI << 8 | EVENT_VALID;
	hold_nmis(svm, true);
}

void svm_nmi_ends(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = &vcpu->arch.svm;

	hold_nmis(svm, false);
	svm->nmi_ends_at = svm->vmcb->rip;
	if (vcpu->arch.apic.nmi_pending)
		apic_look(vcpu);
}

void svm_set_windows(struct vcpu *vcpu, unsigned windows)
{
	svm_open_windows(vcpu, windows);
}

void svm_window_opens(struct vcpu *vcpu)
{
	vcpu->arch.apic.windows &= (uint8_t)~WINDOW_INTERRUPT;
	svm_set_windows(vcpu, vcpu->arch.apic.windows);
	apic_look(vcpu);
}

void svm_take_back(struct vcpu *vcpu, uint64_t event)
{
	if (!(event & EVENT_VALID))
		return;
	if (EVENT_TYPE(event) == EVENT_INTERRUPT) {
		apic_take_back(vcpu, EVENT_VECTOR(event));
	} else if (EVENT_TYPE(event) == EVENT_NMI) {
		hold_nmis(&vcpu->arch.svm, false);
		apic_take_back_nmi(vcpu);
	}
}
