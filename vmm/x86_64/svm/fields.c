/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's registers that its VMCB holds. AMD APM vol. 2 "VMCB Layout". */
#include "vmm/x86_64/svm/svm.h"

/*
 * Where in the VMCB a field is, and which bits of the eight bytes there are the guest's. No field is in the last eight bytes of the
 * VMCB.
 */
static const struct {
	uint64_t offset, bits;
} fields[FIELD_COUNT] = {
#define FIELD(member)                                                                                        \
	{                                                                                                    \
		offsetof(struct vmcb, member), ~UINT64_C(0) >> (64 - 8 * sizeof(((struct vmcb *)0)->member)) \
	}
	[FIELD_RIP] = FIELD(rip),
	[FIELD_RSP] = FIELD(rsp),
	[FIELD_RFLAGS] = FIELD(rflags),
	[FIELD_CR0] = FIELD(cr0),
	[FIELD_CR3] = FIELD(cr3),
	[FIELD_CR4] = FIELD(cr4),
	[FIELD_DR7] = FIELD(dr7),
	/* SVME must be set for VMRUN; the guest does not see it. */
	[FIELD_EFER] = { offsetof(struct vmcb, efer), ~EFER_SVME },
	[FIELD_PAT] = FIELD(g_pat),
	[FIELD_TSC_OFFSET] = FIELD(tsc_offset),
	[FIELD_CS] = FIELD(cs.selector),
	[FIELD_CS_BASE] = FIELD(cs.base),
	[FIELD_SS] = FIELD(ss.selector),
	[FIELD_GDTR_BASE] = FIELD(gdtr.base),
	[FIELD_GDTR_LIMIT] = FIELD(gdtr.limit),
	[FIELD_IDTR_BASE] = FIELD(idtr.base),
	[FIELD_IDTR_LIMIT] = FIELD(idtr.limit),
	[FIELD_CR8] = { offsetof(struct vmcb, int_ctl), UINT8_MAX }, /* V_TPR */
#undef FIELD
};

uint64_t svm_get(struct vcpu *vcpu, enum guest_field field)
{
	uint64_t value;

	__builtin_memcpy(&value, (char *)vcpu->arch.svm.vmcb + fields[field].offset, sizeof(value));
	return value & fields[field].bits;
}

void svm_set(struct vcpu *vcpu, enum guest_field field, uint64_t value)
{
	char *at = (char *)vcpu->arch.svm.vmcb + fields[field].offset;
	uint64_t word, bits = fields[field].bits;

	__builtin_memcpy(&word, at, sizeof(word));
	word = (word & ~bits) | (value & bits);
	__builtin_memcpy(at, &word, sizeof(word));
}

uint64_t svm_get_gpr(struct vcpu *vcpu, enum gpr gpr)
{
	if (gpr == RAX)
		return vcpu->arch.svm.vmcb->rax;
	if (gpr == RSP)
		return vcpu->arch.svm.vmcb->rsp;
	return vcpu->arch.gpr[gpr];
}

void svm_set_gpr(struct vcpu *vcpu, enum gpr gpr, uint64_t value)
{
	if (gpr == RAX)
		vcpu->arch.svm.vmcb->rax = value;
	else if (gpr == RSP)
		vcpu->arch.svm.vmcb->rsp = value;
	else
		vcpu->arch.gpr[gpr] = value;
}

unsigned svm_code_bits(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	return svm_in_64bit_code(vmcb) ? 64 : vmcb->cs.attrib & SEG_D ? 32 : 16;
}

bool svm_in_delivery(struct vcpu *vcpu)
{
	return vcpu->arch.svm.vmcb->exitintinfo & EVENT_VALID;
}
