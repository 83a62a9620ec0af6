/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest gets for the VMX exits that generic code does not serve. */
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

static void complete_or_gp(bool done)
{
	if (done)
		vmx_complete(0);
	else
		vmx_inject(VECTOR_GP);
}

/* NMIs and machine checks are the machine's own: they go where they would have gone without a guest. */
static bool handle_exception(struct vcpu *vcpu)
{
	switch (INTR_VECTOR(vmread(EXIT_INTERRUPTION_INFO))) {
	case VECTOR_DB:
		return vmx_redeliver_debug(vcpu);
	case VECTOR_AC:
		return vmx_redeliver_alignment(vcpu);
	case VECTOR_UD:
		vmx_inject(VECTOR_UD);
		return true;
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
		vmx_complete(0);
		return true;
	case EXIT_RDMSR:
		complete_or_gp(emulate_rdmsr(vcpu));
		return true;
	case EXIT_WRMSR:
		complete_or_gp(emulate_wrmsr(vcpu));
		return true;
	case EXIT_CR_ACCESS:
		return vmx_handle_cr_access(vcpu);
	case EXIT_INVD: /* must not drop what the host's caches hold; the guest's memory is coherent without it */
		vmx_complete(0);
		return true;
	case EXIT_RDPMC: /* there are no counters */
		vmx_inject(VECTOR_GP);
		return true;
	case EXIT_XSETBV: /* CR4.OSXSAVE is clear */
	case EXIT_GETSEC: /* instructions of features that the guest's CPUID does not offer */
	case EXIT_VMCALL:
	case EXIT_VMCLEAR ... EXIT_VMXON:
	case EXIT_MWAIT:
	case EXIT_MONITOR:
	case EXIT_INVEPT:
	case EXIT_INVVPID:
	case EXIT_ENCLS:
	case EXIT_ENCLV:
		vmx_inject(VECTOR_UD);
		return true;
	case EXIT_HLT:
		if (!vmx_complete(0)) /* a debug trap wakes the CPU as soon as it waits */
			apic_halt(vcpu);
		return true;
	case EXIT_INTERRUPT_WINDOW:
		vmx_window_opens(vcpu, WINDOW_INTERRUPT);
		return true;
	case EXIT_NMI_WINDOW:
		vmx_window_opens(vcpu, WINDOW_NMI);
		return true;
	case EXIT_EXCEPTION_OR_NMI:
		return handle_exception(vcpu);
	}
	return false;
}
