/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's local APICs: they say who a vCPU is, and start others. */
#ifndef NESTLING_VMM_X86_64_APIC_H
#define NESTLING_VMM_X86_64_APIC_H

#include "include/arch/x86_64/msr.h"
#include "vmm/vm.h"

#define GUEST_APIC_PAGE UINT64_C(0xfee00000)

/* As after a reset. */
static inline void apic_reset(struct vcpu *vcpu)
{
	vcpu->arch.apic = (struct guest_apic){
		.base = GUEST_APIC_PAGE | APIC_BASE_EN | (vcpu->id == 0 ? APIC_BASE_BSP : 0),
		.dfr = UINT32_MAX,
		.svr = 0xff,
	};
}

/* The page of registers that all local APICs of a VM are at. */
void apic_page_init(struct vm *vm);

/* Carry out the inter-processor interrupt that an access to the page has asked for; with no lock held that starting a vCPU takes.
 */
void apic_send_pending(struct vcpu *vcpu);

/* IA32_APIC_BASE, and the MSRs that are registers in x2APIC mode. False: the guest is to get #GP(0). */
bool apic_write_base(struct vcpu *vcpu, uint64_t value);
bool apic_read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool apic_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value);

#endif
