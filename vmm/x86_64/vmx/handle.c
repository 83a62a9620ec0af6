/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest gets for the VMX exits that generic code does not serve. */
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

/* Bits of CR0 that mean anything; writes to the others are ignored. Intel SDM vol. 3 "Control Registers". */
#define CR0_KNOWN \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR8_MAX 15

static void inject(enum vector vector)
{
	uint64_t info = (uint64_t)vector | INTR_EXCEPTION << 8 | INTR_VALID;

	/* Real mode pushes no error code. SDM vol. 3 "Checks on VMX Controls". */
	if ((vector == VECTOR_GP || vector == VECTOR_DF) && vmread(GUEST_CR0) & CR0_PE) {
		info |= INTR_ERROR_CODE;
		vmwrite(ENTRY_EXCEPTION_ERROR_CODE, 0);
	}
	vmwrite(ENTRY_INTERRUPTION_INFO, info);
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
	vmwrite(ENTRY_INTERRUPTION_INFO, VECTOR_PF | INTR_EXCEPTION << 8 | INTR_VALID | INTR_ERROR_CODE);
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
 * structure, which the exit tells nothing more about.
 */
bool vmx_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const uint64_t both = EPTV_LINEAR | EPTV_FINAL;
	uint64_t vectoring = vmread(IDT_VECTORING_INFO);
	bool page_fault = (vmread(EXIT_QUALIFICATION) & both) == both && vmread(GUEST_CR0) & CR0_PG;
	enum vector vector = page_fault ? VECTOR_PF : VECTOR_GP;

	if (vectoring & INTR_VALID && !fault_in_delivery(event_kind(vectoring), INTR_VECTOR(vectoring), &vector))
		return false;
	if (vector == VECTOR_PF)
		inject_page_fault(vcpu, exit->fault.access);
	else
		inject(vector);
	return true;
}

/* Step over an instruction that has been carried out; that ends the shadow of an STI or MOV SS before it. */
static void complete(void)
{
	vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	vmx_advance();
}

static void complete_or_gp(bool done)
{
	if (done)
		complete();
	else
		inject(VECTOR_GP);
}

/* The guest changes a bit of CR0 that it does not own. False: we cannot follow it. */
static bool guest_writes_cr0(struct vcpu *vcpu, uint64_t value)
{
	uint64_t changed = value ^ virt->get(vcpu, FIELD_CR0);

	if (value >> 32 || (value & (CR0_NW | CR0_CD)) == CR0_NW || (value & (CR0_PE | CR0_PG)) == CR0_PG) {
		inject(VECTOR_GP);
		return true;
	}
	if (changed & CR0_PG || (changed & CR0_PE && !vmx_unrestricted_guest()))
		return false;
	value = (value & CR0_KNOWN) | CR0_ET;
	vmwrite(CR0_SHADOW, value);
	vmwrite(GUEST_CR0, (value & ~(CR0_CD | CR0_NW)) | vmx_caps.cr0_fixed0);
	complete();
	return true;
}

static void guest_writes_cr8(struct vcpu *vcpu, uint64_t value)
{
	if (value <= CR8_MAX)
		vcpu->arch.vmx.cr8 = value;
	complete_or_gp(value <= CR8_MAX);
}

static void guest_reads_cr8(struct vcpu *vcpu, unsigned gpr)
{
	if (gpr == RSP)
		virt->set(vcpu, FIELD_RSP, vcpu->arch.vmx.cr8);
	else
		vcpu->arch.gpr[gpr] = vcpu->arch.vmx.cr8;
	complete();
}

static bool handle_cr_access(struct vcpu *vcpu)
{
	uint64_t info = vmread(EXIT_QUALIFICATION);
	unsigned gpr = CR_GPR(info), cr = CR_NUMBER(info);

	if (CR_ACCESS(info) == CR_MOV_FROM && cr == 8) {
		guest_reads_cr8(vcpu, gpr);
		return true;
	}
	if (CR_ACCESS(info) != CR_MOV_TO)
		return false;
	switch (cr) {
	case 0:
		return guest_writes_cr0(vcpu, vmx_get_gpr(vcpu, gpr));
	case 4:
		/* Only a bit outside guest_cr4_valid() that is to be set gets here; VMXE is among them. */
		inject(VECTOR_GP);
		return true;
	case 8:
		guest_writes_cr8(vcpu, vmx_get_gpr(vcpu, gpr));
		return true;
	}
	return false;
}

/* The only exceptions and NMIs that exit are the machine's own: they go where they would have gone without a guest. */
static bool hand_to_host(void)
{
	switch (INTR_VECTOR(vmread(EXIT_INTERRUPTION_INFO))) {
	case VECTOR_NMI:
		__asm__ volatile("int %0" : : "i"(VECTOR_NMI) : "memory");
		return true;
	case VECTOR_MC:
		__asm__ volatile("int %0" : : "i"(VECTOR_MC) : "memory");
		return true;
	}
	return false;
}

bool vmx_handle_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	switch (exit->reason) {
	case EXIT_CPUID:
		emulate_cpuid(vcpu);
		complete();
		return true;
	case EXIT_RDMSR:
		complete_or_gp(emulate_rdmsr(vcpu));
		return true;
	case EXIT_WRMSR:
		complete_or_gp(emulate_wrmsr(vcpu));
		return true;
	case EXIT_CR_ACCESS:
		return handle_cr_access(vcpu);
	case EXIT_INVD: /* must not drop what the host's caches hold; the guest's memory is coherent without it */
		complete();
		return true;
	case EXIT_RDPMC: /* there are no counters */
		inject(VECTOR_GP);
		return true;
	case EXIT_XSETBV: /* CR4.OSXSAVE is clear */
	case EXIT_GETSEC: /* instructions of features that the guest's CPUID does not offer */
	case EXIT_VMCALL:
	case EXIT_VMCLEAR ... EXIT_VMXON:
	case EXIT_MWAIT:
	case EXIT_MONITOR:
	case EXIT_INVEPT:
	case EXIT_INVVPID:
		inject(VECTOR_UD);
		return true;
	case EXIT_EXTERNAL_INTERRUPT:
		take_host_interrupt();
		return true;
	case EXIT_EXCEPTION_OR_NMI:
		return hand_to_host();
	}
	return false;
}
