/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's writes to CR0 and CR4 under SVM: what the CPU would have checked, and that CR4 stays within the features
 * that CPUID offers. AMD APM vol. 2 "System-Control Registers". Rare: CR0's TS and MP come and go without an exit.
 */
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/guest_walk.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/svm/svm.h"

/* Decode assists: EXITINFO1 of an exit by MOV to CRn names the general register. */
#define CR_INFO_MOV    BIT(63)
#define CR_INFO_GPR(i) ((unsigned)((i)&15))

#define CR8_MAX 15

#define LMSW_MASK (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

struct cr_write {
	uint64_t value;
	unsigned length; /* of the instruction */
};

static bool is_prefix(uint8_t byte)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3 };

	for (size_t i = 0; i < sizeof(prefixes); i++)
		if (byte == prefixes[i])
			return true;
	return false;
}

/* LMSW changes the low bits only, and cannot clear PE. */
static uint64_t lmsw_value(uint64_t cr0, uint64_t source)
{
	return (cr0 & ~(LMSW_MASK & ~CR0_PE)) | (source & LMSW_MASK);
}

/*
 * Read MOV to CRn (0f 22 /n) or LMSW of a register (0f 01 /6) where the guest executes. False: it is neither, or not to
 * be read. AMD APM vol. 3 "Instruction Encoding".
 */
static bool decode(struct vcpu *vcpu, struct cr_write *write)
{
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	uint8_t code[15], modrm;
	size_t count = peek_guest(vcpu, GVA(vmcb->cs.base + vmcb->rip), code, sizeof(code)), at = 0;
	bool rex_b = false;

	while (at < count && is_prefix(code[at]))
		at++;
	if (at < count && svm_in_64bit_code(vmcb) && (code[at] & 0xf0) == 0x40)
		rex_b = code[at++] & 1;
	if (at + 3 > count || code[at] != 0x0f)
		return false;
	modrm = code[at + 2];
	write->value = svm_get_gpr(vcpu, (modrm & 7) | rex_b << 3);
	write->length = (unsigned)at + 3;
	if (code[at + 1] == 0x22)
		return true;
	if (code[at + 1] != 0x01 || (modrm >> 3) != (3 << 3 | 6))
		return false;
	write->value = lmsw_value(vmcb->cr0, write->value);
	return true;
}

static bool read_write(struct vcpu *vcpu, struct cr_write *write)
{
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (vmcb->exitinfo1 & CR_INFO_MOV)
		*write = (struct cr_write){ svm_get_gpr(vcpu, CR_INFO_GPR(vmcb->exitinfo1)), 3 };
	else if (!decode(vcpu, write))
		return false;
	if (!svm_in_64bit_code(vmcb))
		write->value = (uint32_t)write->value;
	return true;
}

static bool cr0_valid(const struct vmcb *vmcb, uint64_t value)
{
	bool paging = value & CR0_PG, was_paging = vmcb->cr0 & CR0_PG;

	if (value >> 32 || (value & (CR0_CD | CR0_NW)) == CR0_NW || (paging && !(value & CR0_PE)))
		return false;
	if (was_paging && !paging)
		return !svm_in_64bit_code(vmcb);
	if (!was_paging && paging && vmcb->efer & EFER_LME)
		return vmcb->cr4 & CR4_PAE && !(vmcb->cs.attrib & SEG_L);
	return true;
}

static void set_cr0(struct vmcb *vmcb, uint64_t value)
{
	/* AMD APM vol. 2 "Activating Long Mode": LMA follows paging. */
	vmcb->efer &= ~EFER_LMA;
	if (value & CR0_PG && vmcb->efer & EFER_LME)
		vmcb->efer |= EFER_LMA;
	vmcb->cr0 = (value & CR0_KNOWN) | CR0_ET;
}

/* A part of the task priority. Only a guest that holds back an interrupt by it exits here. */
static void set_cr8(struct vcpu *vcpu, uint64_t value)
{
	svm_set(vcpu, FIELD_CR8, value);
	apic_look(vcpu);
}

static bool cr4_valid(const struct vcpu *vcpu, uint64_t value)
{
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	return !(value & ~guest_cr4_valid(vcpu->vm)) && !(vmcb->efer & EFER_LMA && !(value & CR4_PAE));
}

bool svm_handle_cr_write(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	bool is_cr4 = vmcb->exitcode == VMEXIT_CR0_WRITE + 4, is_cr8 = vmcb->exitcode == VMEXIT_CR8_WRITE;
	struct cr_write write;

	if (!read_write(vcpu, &write))
		return false;
	if (!(is_cr8 ? write.value <= CR8_MAX : is_cr4 ? cr4_valid(vcpu, write.value) : cr0_valid(vmcb, write.value))) {
		svm_inject(vmcb, VECTOR_GP);
		return true;
	}
	if (is_cr8)
		set_cr8(vcpu, write.value);
	else if (is_cr4)
		vmcb->cr4 = write.value;
	else
		set_cr0(vmcb, write.value);
	svm_complete(vmcb, write.length);
	/* The instruction would have dropped the guest's translations where they depend on the bits: drop them all. */
	if (!is_cr8)
		virt->flush(vcpu);
	return true;
}
