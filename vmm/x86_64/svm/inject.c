/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM: exceptions that a guest gets. AMD APM vol. 2 "Event Injection". */
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/svm/svm.h"

/* What was being delivered: AMD APM vol. 2 "EXITINTINFO". INT3 and INTO have the type of an exception. */
enum event_kind svm_event_kind(uint64_t event)
{
	switch (EVENT_TYPE(event)) {
	case EVENT_SOFTWARE:
		return EVENT_BY_INSTRUCTION;
	case EVENT_EXCEPTION:
		return EVENT_VECTOR(event) == VECTOR_BP || EVENT_VECTOR(event) == VECTOR_OF ? EVENT_BY_INSTRUCTION :
											      EVENT_BY_HARDWARE;
	default:
		return EVENT_OUTSIDE;
	}
}

void svm_inject(struct vmcb *vmcb, enum vector vector)
{
	vmcb->rflags |= RFLAGS_RF; /* as the image of RFLAGS of a fault has it */
	vmcb->int_state &= ~INT_STATE_SHADOW;
	vmcb->event_inj = (uint64_t)vector | EVENT_EXCEPTION << 8 | EVENT_VALID;
	/* 0; real mode pushes none. */
	if ((vector == VECTOR_GP || vector == VECTOR_DF) && vmcb->cr0 & CR0_PE)
		vmcb->event_inj |= EVENT_ERROR_CODE;
}

/* #GP, because a nested fault does not report the virtual address that #PF needs. */
bool svm_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	uint64_t event = vmcb->exitintinfo;
	enum vector vector = VECTOR_GP;

	(void)exit;
	if (event & EVENT_VALID && !fault_in_delivery(svm_event_kind(event), EVENT_VECTOR(event), &vector))
		return false;
	svm_take_back(vcpu, event);
	svm_inject(vmcb, vector);
	return true;
}

/*
 * DR6 has been changed by the time of the exit (AMD APM vol. 2 "#DB (Debug)" among "Exception Intercepts"), and injecting
 * changes neither it nor DR7.
 */
bool svm_redeliver_debug(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (at_handler(vcpu, VECTOR_DB) && delivery_repeats(vcpu))
		return false;
	svm_take_back(vcpu, vmcb->exitintinfo);
	vmcb->dr7 &= ~DR7_GD;
	vmcb->event_inj = VECTOR_DB | EVENT_EXCEPTION << 8 | EVENT_VALID;
	return true;
}

/* What was being delivered, if anything, was not by design or comes again with its instruction. */
bool svm_redeliver_alignment(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	uint64_t event = vmcb->exitintinfo;

	if (event & EVENT_VALID && EVENT_TYPE(event) == EVENT_EXCEPTION && EVENT_VECTOR(event) == VECTOR_AC &&
	    delivery_repeats(vcpu))
		return false;
	svm_take_back(vcpu, event);
	vmcb->event_inj = VECTOR_AC | EVENT_EXCEPTION << 8 | EVENT_VALID | EVENT_ERROR_CODE | vmcb->exitinfo1 << 32;
	return true;
}
