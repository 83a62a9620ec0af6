/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM: the end of an instruction that was carried out for the guest. All that moves its RIP is here. */
#include "vmm/x86_64/svm/svm.h"

static void trap(struct vmcb *vmcb)
{
	vmcb->dr7 &= ~DR7_GD;
	vmcb->event_inj = VECTOR_DB | EVENT_EXCEPTION << 8 | EVENT_VALID;
}

/*
 * What the CPU does at the end of an instruction: RF is cleared, the shadow of an STI or MOV SS before it has passed, and
 * TF set at its beginning makes a single-step trap, beside what it hit itself. AMD APM vol. 2 "Debug Breakpoints",
 * "Single Stepping". The VMCB has no place for a pending trap, so the trap itself is injected, with what it does to DR6
 * and DR7.
 */
bool svm_complete_at(struct vmcb *vmcb, uint64_t rip, uint64_t hits)
{
	if (vmcb->rflags & RFLAGS_TF)
		hits |= DR6_BS;
	vmcb->rip = svm_in_64bit_code(vmcb) ? rip : (uint32_t)rip;
	vmcb->rflags &= ~RFLAGS_RF;
	vmcb->int_state &= ~INT_STATE_SHADOW;
	if (!hits)
		return false;
	vmcb->dr6 = (vmcb->dr6 & ~DR6_HITS) | DR6_RESET | hits;
	trap(vmcb);
	return true;
}

bool svm_complete(struct vmcb *vmcb, unsigned length)
{
	return svm_complete_at(vmcb, svm_next_rip(vmcb, length), 0);
}

void svm_step(struct vcpu *vcpu, unsigned length)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	svm_complete_at(vmcb, vmcb->rip + length, 0);
}

void svm_trap_icebp(struct vmcb *vmcb)
{
	svm_complete(vmcb, 1);
	trap(vmcb);
}
