/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX: interrupts and NMIs for a guest. Sources: Intel SDM vol. 3 "VM-Entry Controls for Event Injection", "Guest Non-Register
 * State" (interruptibility), "Interrupt-Window Exiting and Virtual-Interrupt Delivery", "NMI-Window Exiting".
 */
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/vmx/vmx.h"

bool vmx_accepts(struct vcpu *vcpu, unsigned window)
{
	uint64_t blocking = vmread(GUEST_INTERRUPTIBILITY);

	(void)vcpu;
	if (vmread(ENTRY_INTERRUPTION_INFO) & INTR_VALID || blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS))
		return false;
	return window == WINDOW_NMI ? !(blocking & BLOCKING_BY_NMI) : vmread(GUEST_RFLAGS) & RFLAGS_IF;
}

void vmx_inject_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	(void)vcpu;
	vmwrite(ENTRY_INTERRUPTION_INFO, vector | INTR_EXTERNAL << 8 | INTR_VALID);
}

/* The entry blocks further ones. */
void vmx_inject_nmi(struct vcpu *vcpu)
{
	(void)vcpu;
	vmwrite(ENTRY_INTERRUPTION_INFO, VECTOR_NMI | INTR_NMI << 8 | INTR_VALID);
}

/* All writes of CR8 exit. Without virtual NMIs nothing exits when an NMI could be taken. */
void vmx_set_windows(struct vcpu *vcpu, unsigned windows)
{
	uint64_t controls = vmx_caps.cpu;

	(void)vcpu;
	if (windows & WINDOW_INTERRUPT)
		controls |= CPU_INTERRUPT_WINDOW_EXITING;
	if (windows & WINDOW_NMI && vmx_caps.pin & PIN_VIRTUAL_NMIS)
		controls |= CPU_NMI_WINDOW_EXITING;
	vmwrite(PROCESSOR_BASED_CONTROLS, controls);
}

void vmx_window_opens(struct vcpu *vcpu, unsigned window)
{
	vcpu->arch.apic.windows &= (uint8_t)~window;
	vmx_set_windows(vcpu, vcpu->arch.apic.windows);
	apic_look(vcpu);
}

/* An NMI whose delivery has met a fault blocks nothing: "Information for VM Exits That Occur During Event Delivery". */
void vmx_take_back(struct vcpu *vcpu, uint64_t vectoring)
{
	if (!(vectoring & INTR_VALID))
		return;
	if (INTR_TYPE(vectoring) == INTR_EXTERNAL) {
		apic_take_back(vcpu, INTR_VECTOR(vectoring));
	} else if (INTR_TYPE(vectoring) == INTR_NMI) {
		vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKING_BY_NMI);
		apic_take_back_nmi(vcpu);
	}
}
