/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX: the end of an instruction that was carried out for the guest. All that moves its RIP is here. */
#include "vmm/x86_64/vmx/vmx.h"

static bool in_64bit_code(void)
{
	return vmread(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST && vmread(GUEST_CS_ACCESS_RIGHTS) & AR_L;
}

/*
 * What the CPU does at the end of an instruction: RF is cleared, the shadow of an STI or MOV SS before it has passed, and
 * TF set at its beginning makes a single-step trap, beside what it hit itself. Intel SDM vol. 3 "Single-Step Exception
 * Condition", "Guest Non-Register State" (pending debug exceptions: what a VM entry delivers).
 */
static bool complete(uint64_t length, uint64_t hits)
{
	uint64_t rip = vmread(GUEST_RIP) + length, rflags = vmread(GUEST_RFLAGS);
	uint64_t pending = vmread(GUEST_PENDING_DEBUG) | hits;

	if (hits)
		pending |= PENDING_DEBUG_ENABLED_BP;
	if (rflags & RFLAGS_TF)
		pending |= DR6_BS;
	vmwrite(GUEST_RIP, in_64bit_code() ? rip : (uint32_t)rip);
	vmwrite(GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	vmwrite(GUEST_PENDING_DEBUG, pending);
	return pending;
}

bool vmx_complete(uint64_t hits)
{
	return complete(vmread(EXIT_INSTRUCTION_LENGTH), hits);
}

/* An EPT violation does not say how long the instruction is. */
void vmx_step(struct vcpu *vcpu, unsigned length)
{
	(void)vcpu;
	complete(length, 0);
}
