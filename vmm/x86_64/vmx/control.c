/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's accesses to CR0, CR4 and CR8 that exit under VMX. Rare: most bits are the guest's own, and the CPU checks and
 * loads what it does by itself when they change. Intel SDM vol. 3 "Control Registers".
 */
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

#define CR8_MAX 15

/* SDM vol. 3 "PDPTE Registers". False: their memory is not there. */
static bool read_pdptes(struct vcpu *vcpu, uint64_t *pdpte)
{
	uint64_t table = vmread(GUEST_CR3) & BITS(31, 5);

	return addr_space_read(&vcpu->vm->as, GPA(table), pdpte, PDPTES * sizeof(*pdpte)) == ERR_OK;
}

static bool pdptes_valid(const uint64_t *pdpte)
{
	uint64_t reserved = BITS(2, 1) | BITS(8, 5) | ~BITS((cpuid(0x80000008, 0).eax & 0xff) - 1, 0);

	for (unsigned i = 0; i < PDPTES; i++)
		if (pdpte[i] & PTE_P && pdpte[i] & reserved)
			return false;
	return true;
}

/* SDM vol. 2 "MOV - Move to/from Control Registers", its #GP for CR0. */
static bool cr0_valid(uint64_t old, uint64_t value, uint64_t cr4)
{
	bool ia32e = vmread(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST, code64 = vmread(GUEST_CS_ACCESS_RIGHTS) & AR_L;

	if (value >> 32 || (value & (CR0_NW | CR0_CD)) == CR0_NW || (value & (CR0_PE | CR0_PG)) == CR0_PG)
		return false;
	if (!((old ^ value) & CR0_PG))
		return true;
	if (!(value & CR0_PG))
		return !(ia32e && code64);
	if (!(vmread(GUEST_IA32_EFER) & EFER_LME))
		return true;
	return cr4 & CR4_PAE && !code64 && AR_TYPE(vmread(GUEST_TR_ACCESS_RIGHTS)) == AR_TYPE(AR_TSS_BUSY);
}

static void set_cr0(uint64_t value)
{
	uint64_t efer = vmread(GUEST_IA32_EFER), controls = vmread(ENTRY_CONTROLS);

	/* LMA follows paging, and the entry's mode LMA. SDM vol. 3 "Initializing IA-32e Mode". */
	efer &= ~EFER_LMA;
	controls &= ~ENTRY_IA32E_GUEST;
	if (value & CR0_PG && efer & EFER_LME) {
		efer |= EFER_LMA;
		controls |= ENTRY_IA32E_GUEST;
	}
	vmwrite(GUEST_IA32_EFER, efer);
	vmwrite(ENTRY_CONTROLS, controls);
	vmwrite(CR0_SHADOW, value);
	vmwrite(GUEST_CR0, (value & ~(CR0_CD | CR0_NW)) | vmx_caps.cr0_fixed0);
}

/*
 * The guest changes a bit of CR0 that it does not own, perhaps with others. False: we cannot follow it. The CPU would have
 * loaded the page-directory pointers anew, and dropped translations where paging changes: an entry loads the former from
 * the VMCS.
 */
static bool guest_writes_cr0(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = virt->get(vcpu, FIELD_CR0), cr4 = virt->get(vcpu, FIELD_CR4), pdpte[PDPTES];
	bool pae = value & CR0_PG && cr4 & CR4_PAE && !(vmread(GUEST_IA32_EFER) & EFER_LME);

	if (!cr0_valid(old, value, cr4)) {
		vmx_inject(VECTOR_GP);
		return true;
	}
	if ((old ^ value) & (CR0_PG | CR0_PE) && !vmx_unrestricted_guest())
		return false;
	if (pae && !read_pdptes(vcpu, pdpte))
		return false;
	if (pae && !pdptes_valid(pdpte)) {
		vmx_inject(VECTOR_GP);
		return true;
	}
	for (unsigned i = 0; pae && i < PDPTES; i++)
		vmwrite(GUEST_PDPTE0 + 2 * i, pdpte[i]);
	set_cr0((value & CR0_KNOWN) | CR0_ET);
	vmx_flush(vcpu);
	vmx_complete(0);
	return true;
}

static void guest_writes_cr8(struct vcpu *vcpu, uint64_t value)
{
	if (value > CR8_MAX) {
		vmx_inject(VECTOR_GP);
		return;
	}
	vcpu->arch.vmx.cr8 = value;
	if (vcpu->arch.apic.windows & WINDOW_PRIORITY)
		apic_look(vcpu);
	vmx_complete(0);
}

static void guest_reads_cr8(struct vcpu *vcpu, unsigned gpr)
{
	if (gpr == RSP)
		virt->set(vcpu, FIELD_RSP, vcpu->arch.vmx.cr8);
	else
		vcpu->arch.gpr[gpr] = vcpu->arch.vmx.cr8;
	vmx_complete(0);
}

bool vmx_handle_cr_access(struct vcpu *vcpu)
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
		vmx_inject(VECTOR_GP);
		return true;
	case 8:
		guest_writes_cr8(vcpu, vmx_get_gpr(vcpu, gpr));
		return true;
	}
	return false;
}
