/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU comes into the CPU and leaves it under VMX; and a copy of one: its VMCS field by field. */
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

/* Of a VMCS, what the guest has made of it; segments apart. All else is written as for a new one. */
static const uint16_t guest_fields[] = {
	TSC_OFFSET,
	ENTRY_CONTROLS,
	CR0_SHADOW,
	CR4_SHADOW,
	GUEST_CR0,
	GUEST_CR3,
	GUEST_CR4,
	GUEST_DR7,
	GUEST_RSP,
	GUEST_RIP,
	GUEST_RFLAGS,
	GUEST_GDTR_BASE,
	GUEST_GDTR_LIMIT,
	GUEST_IDTR_BASE,
	GUEST_IDTR_LIMIT,
	GUEST_SYSENTER_CS,
	GUEST_SYSENTER_ESP,
	GUEST_SYSENTER_EIP,
	GUEST_IA32_DEBUGCTL,
	GUEST_IA32_PAT,
	GUEST_IA32_EFER,
	GUEST_PDPTE0,
	GUEST_PDPTE1,
	GUEST_PDPTE2,
	GUEST_PDPTE3,
	GUEST_INTERRUPTIBILITY,
	GUEST_ACTIVITY,
	GUEST_PENDING_DEBUG,
	VMCS_LINK_POINTER,
	ENTRY_INTERRUPTION_INFO,
	ENTRY_EXCEPTION_ERROR_CODE,
	ENTRY_INSTRUCTION_LENGTH,
	PROCESSOR_BASED_CONTROLS,
};

/* Each segment has these; the eight segments' fields lie 2 apart. */
static const uint16_t segment_fields[] = { GUEST_ES_SELECTOR, GUEST_ES_LIMIT, GUEST_ES_ACCESS_RIGHTS, GUEST_ES_BASE };

enum { SEGMENTS = 8 };

struct guest_values {
	uint64_t field[ARRAY_LEN(guest_fields)];
	uint64_t segment[SEGMENTS][ARRAY_LEN(segment_fields)];
};

/* MSRs that stay the guest's while it is in the CPU. */
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

void vmx_load(struct vcpu *vcpu)
{
	struct cpu *cpu = arch_this_cpu();
	struct vmx_vcpu *vmx = &vcpu->arch.vmx;
	const struct kept_state *kept = &vcpu->arch.kept;
	enum tag_state state = tags_take(&cpu->arch.virt.tags, &vcpu->arch.tag);

	vmx_make_current(vmx->vmcs);
	if (vmx->host != cpu) {
		vmx_write_host_state();
		vmx->host = cpu;
	}
	if (vmx_caps.cpu2 & CPU2_ENABLE_VPID)
		vmwrite_known(VPID, vcpu->arch.tag.number);
	/* What is tagged with the EPTP alone may be older than the last flush that concerned this CPU, or of a space that is gone.
	 */
	if (state == TAG_NEW_GENERATION)
		vmx_flush_all(vcpu);
	else if (state == TAG_NEW)
		vmx_flush(vcpu);
	write_dr6(kept->dr6);
	write_cr2(kept->cr2);
	for (size_t i = 0; i < ARRAY_LEN(kept_msrs); i++)
		wrmsr(kept_msrs[i], kept->msrs[i]);
}

/* The CPU may hold parts of a VMCS until VMCLEAR, and the next one to load it may be another. */
void vmx_save(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	kept->dr6 = read_dr6();
	kept->cr2 = read_cr2();
	for (size_t i = 0; i < ARRAY_LEN(kept_msrs); i++)
		kept->msrs[i] = rdmsr(kept_msrs[i]);
	vmx_clear(&vcpu->arch.vmx);
}

void vmx_fork(struct vcpu *child, const struct vcpu *parent)
{
	struct guest_values values;
	hpa_t before = vmx_borrow(parent->arch.vmx.vmcs);

	read_guest(&values);
	vmx_return(parent->arch.vmx.vmcs, before);
	child->arch.vmx.cr8 = parent->arch.vmx.cr8;

	before = vmx_borrow(child->arch.vmx.vmcs);
	vmx_write_controls(child->vm);
	write_guest(&values);
	vmx_return(child->arch.vmx.vmcs, before);
}
