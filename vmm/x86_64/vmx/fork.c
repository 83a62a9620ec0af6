/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU comes and goes under VMX, and is copied: its VMCS field by field, and what no VMCS holds. */
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/vmx/vmx.h"

/* Of a VMCS, what the guest has made of it; segments apart. All else is written as for a new one. */
static const uint16_t guest_fields[] = {
	TSC_OFFSET,          ENTRY_CONTROLS,
	CR0_SHADOW,          CR4_SHADOW,
	GUEST_CR0,           GUEST_CR3,
	GUEST_CR4,           GUEST_DR7,
	GUEST_RSP,           GUEST_RIP,
	GUEST_RFLAGS,        GUEST_GDTR_BASE,
	GUEST_GDTR_LIMIT,    GUEST_IDTR_BASE,
	GUEST_IDTR_LIMIT,    GUEST_SYSENTER_CS,
	GUEST_SYSENTER_ESP,  GUEST_SYSENTER_EIP,
	GUEST_IA32_DEBUGCTL, GUEST_IA32_PAT,
	GUEST_IA32_EFER,     GUEST_PDPTE0,
	GUEST_PDPTE1,        GUEST_PDPTE2,
	GUEST_PDPTE3,        GUEST_INTERRUPTIBILITY,
	GUEST_ACTIVITY,      GUEST_PENDING_DEBUG,
	VMCS_LINK_POINTER,
};

/* Each segment has these; the eight segments' fields lie 2 apart. */
static const uint16_t segment_fields[] = { GUEST_ES_SELECTOR, GUEST_ES_LIMIT, GUEST_ES_ACCESS_RIGHTS, GUEST_ES_BASE };

enum { SEGMENTS = 8 };

struct guest_values {
	uint64_t field[ARRAY_LEN(guest_fields)];
	uint64_t segment[SEGMENTS][ARRAY_LEN(segment_fields)];
};

/* MSRs that stay in the CPU. */
static const uint32_t kept_msrs[] = { IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK, IA32_KERNEL_GS_BASE };
_Static_assert(ARRAY_LEN(kept_msrs) == ARRAY_LEN(((struct kept_state *)0)->msrs), "struct kept_state");

static void read_guest(struct guest_values *values)
{
	for (size_t i = 0; i < ARRAY_LEN(guest_fields); i++)
		values->field[i] = vmread(guest_fields[i]);
	for (size_t s = 0; s < SEGMENTS; s++)
		for (size_t i = 0; i < ARRAY_LEN(segment_fields); i++)
			values->segment[s][i] = vmread(segment_fields[i] + 2 * (unsigned)s);
}

static void write_guest(const struct guest_values *values)
{
	for (size_t i = 0; i < ARRAY_LEN(guest_fields); i++)
		vmwrite(guest_fields[i], values->field[i]);
	for (size_t s = 0; s < SEGMENTS; s++)
		for (size_t i = 0; i < ARRAY_LEN(segment_fields); i++)
			vmwrite(segment_fields[i] + 2 * (unsigned)s, values->segment[s][i]);
}

static void read_kept(struct kept_state *kept)
{
	kept->dr6 = read_dr6();
	kept->cr2 = read_cr2();
	for (size_t i = 0; i < ARRAY_LEN(kept_msrs); i++)
		kept->msrs[i] = rdmsr(kept_msrs[i]);
}

/* Neither VMCS is current on any CPU, before and after. */
void vmx_vcpu_fork(struct vcpu *child, const struct vcpu *parent)
{
	hpa_t current = *vmx_current();
	struct guest_values values;

	vmx_load_vmcs(parent->arch.vmx.vmcs);
	read_guest(&values);
	vmx_clear_vmcs(parent->arch.vmx.vmcs);
	child->arch.vmx.cr8 = parent->arch.vmx.cr8;

	vmx_clear(child);
	vmx_make_current(child);
	vmx_write_controls(child->vm, vmx_eptp(&child->vm->as.npt));
	write_guest(&values);
	vmx_clear(child);
	if (current.raw)
		vmx_load_vmcs(current);
}

void vmx_vcpu_put(struct vcpu *vcpu)
{
	read_kept(&vcpu->arch.kept);
	vmx_clear(vcpu);
}

void vmx_vcpu_get(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	vmx_make_current(vcpu);
	vmx_write_host_state();
	write_dr6(kept->dr6);
	write_cr2(kept->cr2);
	for (size_t i = 0; i < ARRAY_LEN(kept_msrs); i++)
		wrmsr(kept_msrs[i], kept->msrs[i]);
	vmx_flush(vcpu); /* translations of a VM whose root table was at the same address */
}
