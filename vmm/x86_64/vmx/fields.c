/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's registers that its VMCS holds. Intel SDM vol. 3 "Guest Register State". */
#include "vmm/x86_64/vmx/vmx.h"

static const uint16_t fields[FIELD_COUNT] = {
	[FIELD_RIP] = GUEST_RIP,
	[FIELD_RSP] = GUEST_RSP,
	[FIELD_RFLAGS] = GUEST_RFLAGS,
	[FIELD_CR0] = GUEST_CR0,
	[FIELD_CR3] = GUEST_CR3,
	[FIELD_CR4] = GUEST_CR4,
	[FIELD_DR7] = GUEST_DR7,
	[FIELD_EFER] = GUEST_IA32_EFER,
	[FIELD_PAT] = GUEST_IA32_PAT,
	[FIELD_TSC_OFFSET] = TSC_OFFSET,
	[FIELD_CS] = GUEST_CS_SELECTOR,
	[FIELD_CS_BASE] = GUEST_CS_BASE,
	[FIELD_SS] = GUEST_SS_SELECTOR,
	[FIELD_GDTR_BASE] = GUEST_GDTR_BASE,
	[FIELD_GDTR_LIMIT] = GUEST_GDTR_LIMIT,
	[FIELD_IDTR_BASE] = GUEST_IDTR_BASE,
	[FIELD_IDTR_LIMIT] = GUEST_IDTR_LIMIT,
};

/* As the guest sees it: masked bits come from the shadow. */
static uint64_t read_shadowed(enum vmcs_field field, enum vmcs_field mask_field, enum vmcs_field shadow)
{
	uint64_t mask = vmread(mask_field);

	return (vmread(field) & ~mask) | (vmread(shadow) & mask);
}

uint64_t vmx_get(struct vcpu *vcpu, enum guest_field field)
{
	if (field == FIELD_CR0)
		return read_shadowed(GUEST_CR0, CR0_MASK, CR0_SHADOW);
	if (field == FIELD_CR4)
		return read_shadowed(GUEST_CR4, CR4_MASK, CR4_SHADOW);
	if (field == FIELD_CR8)
		return vcpu->arch.vmx.cr8;
	return vmread(fields[field]);
}

void vmx_set(struct vcpu *vcpu, enum guest_field field, uint64_t value)
{
	if (field == FIELD_CR8)
		vcpu->arch.vmx.cr8 = value;
	else
		vmwrite(fields[field], value);
}

uint64_t vmx_get_gpr(struct vcpu *vcpu, enum gpr gpr)
{
	return gpr == RSP ? vmx_get(vcpu, FIELD_RSP) : vcpu->arch.gpr[gpr];
}

void vmx_set_gpr(struct vcpu *vcpu, enum gpr gpr, uint64_t value)
{
	if (gpr == RSP)
		vmwrite(GUEST_RSP, value);
	else
		vcpu->arch.gpr[gpr] = value;
}

unsigned vmx_code_bits(struct vcpu *vcpu)
{
	uint64_t rights = vmread(GUEST_CS_ACCESS_RIGHTS);

	(void)vcpu;
	if (vmread(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST && rights & AR_L)
		return 64;
	return rights & AR_DB ? 32 : 16;
}

bool vmx_in_delivery(struct vcpu *vcpu)
{
	(void)vcpu;
	return vmread(IDT_VECTORING_INFO) & INTR_VALID;
}
