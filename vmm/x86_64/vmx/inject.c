/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX: exceptions that a guest gets. Intel SDM vol. 3 "VM-Entry Controls for Event Injection". */
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

/*
 * After an entry that injects nothing is blocked, whatever the VMCS says of STI and MOV SS (SDM vol. 3 "Interruptibility
 * State" among "Event Blocking"); but with TF set it would have to agree with the pending debug exceptions.
 */
static void enter_with(uint64_t info)
{
	vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	vmwrite(ENTRY_INTERRUPTION_INFO, info);
}

/* A fault's image of RFLAGS has RF set, and an entry pushes what it finds. SDM vol. 3 "Masking Instruction Breakpoints". */
static void fault_with(uint64_t info)
{
	vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) | RFLAGS_RF);
	enter_with(info);
}

void vmx_inject(enum vector vector)
{
	uint64_t info = (uint64_t)vector | INTR_EXCEPTION << 8 | INTR_VALID;

	/* Real mode pushes no error code. SDM vol. 3 "Checks on VMX Controls". */
	if ((vector == VECTOR_GP || vector == VECTOR_DF) && vmread(GUEST_CR0) & CR0_PE) {
		info |= INTR_ERROR_CODE;
		vmwrite(ENTRY_EXCEPTION_ERROR_CODE, 0);
	}
	fault_with(info);
}

/* A page fault as the guest's own tables would raise it, had they forbidden the access. */
static void inject_page_fault(struct vcpu *vcpu, unsigned access)
{
	uint64_t error = PF_PRESENT;

	if (access & NPT_W)
		error |= PF_WRITE;
	if (AR_DPL(vmread(GUEST_SS_ACCESS_RIGHTS)) == 3)
		error |= PF_USER;
	/* SDM vol. 3 "Page-Fault Exceptions": I/D, where fetches can be forbidden at all. */
	if (access & NPT_X && (vmread(GUEST_IA32_EFER) & EFER_NXE || virt->get(vcpu, FIELD_CR4) & CR4_SMEP))
		error |= PF_FETCH;
	write_cr2(vmread(GUEST_LINEAR_ADDRESS));
	vmwrite(ENTRY_EXCEPTION_ERROR_CODE, error);
	fault_with(VECTOR_PF | INTR_EXCEPTION << 8 | INTR_VALID | INTR_ERROR_CODE);
}

static enum event_kind event_kind(uint64_t info)
{
	switch (INTR_TYPE(info)) {
	case INTR_EXCEPTION:
		return EVENT_BY_HARDWARE;
	case INTR_SOFTWARE:
	case INTR_PRIVILEGED:
	case INTR_SOFTWARE_EXCEPTION:
		return EVENT_BY_INSTRUCTION;
	default:
		return EVENT_OUTSIDE;
	}
}

/*
 * #PF where there was a linear address, and the access was to what it translates to; #GP for an access to a paging
 * structure, about which the exit reports nothing more.
 */
bool vmx_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const uint64_t both = EPTV_LINEAR | EPTV_FINAL;
	uint64_t vectoring = vmread(IDT_VECTORING_INFO);
	bool page_fault = (vmread(EXIT_QUALIFICATION) & both) == both && vmread(GUEST_CR0) & CR0_PG;
	enum vector vector = page_fault ? VECTOR_PF : VECTOR_GP;

	if (vectoring & INTR_VALID && !fault_in_delivery(event_kind(vectoring), INTR_VECTOR(vectoring), &vector))
		return false;
	vmx_take_back(vcpu, vectoring);
	if (vector == VECTOR_PF)
		inject_page_fault(vcpu, exit->fault.access);
	else
		vmx_inject(vector);
	return true;
}

/* An exception that the guest would have had without us, and nothing has happened of its delivery. */
static void redeliver(uint64_t info)
{
	if (INTR_TYPE(info) >= INTR_SOFTWARE)
		vmwrite(ENTRY_INSTRUCTION_LENGTH, vmread(EXIT_INSTRUCTION_LENGTH));
	if (info & INTR_ERROR_CODE)
		vmwrite(ENTRY_EXCEPTION_ERROR_CODE, vmread(EXIT_INTERRUPTION_ERROR_CODE));
	enter_with(info & INTR_REINJECT);
}

/*
 * An exit comes before the exception has changed DR6 and DR7, an injected one does not change them, and the qualification
 * has DR6's bits. SDM vol. 3 "Exit Qualification for Debug Exceptions". INT1 has none.
 */
bool vmx_redeliver_debug(struct vcpu *vcpu)
{
	uint64_t causes = vmread(EXIT_QUALIFICATION) & (DR6_HITS | DR6_BD | DR6_BS);

	if (at_handler(vcpu, VECTOR_DB) && delivery_repeats(vcpu))
		return false;
	if (causes)
		write_dr6((read_dr6() & ~DR6_HITS) | causes);
	vmwrite(GUEST_DR7, vmread(GUEST_DR7) & ~DR7_GD);
	vmx_take_back(vcpu, vmread(IDT_VECTORING_INFO));
	redeliver(vmread(EXIT_INTERRUPTION_INFO));
	return true;
}

/* What was being delivered, if anything, was not by design or comes again with its instruction. */
bool vmx_redeliver_alignment(struct vcpu *vcpu)
{
	uint64_t vectoring = vmread(IDT_VECTORING_INFO);

	if (vectoring & INTR_VALID && INTR_TYPE(vectoring) == INTR_EXCEPTION && INTR_VECTOR(vectoring) == VECTOR_AC &&
	    delivery_repeats(vcpu))
		return false;
	vmx_take_back(vcpu, vectoring);
	redeliver(vmread(EXIT_INTERRUPTION_INFO));
	return true;
}
