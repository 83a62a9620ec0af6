/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model-specific registers a guest has: those that make up its own CPU state. Any other gives #GP(0), as on a CPU
 * that lacks it.
 */
#include "include/arch/x86_64/msr.h"

#include "include/log.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/kvmclock.h"
#include "vmm/x86_64/virt_ops.h"

/* A guest may probe all it likes: this many are logged. */
#define MSRS_LOGGED 8

#define MISC_ENABLE_FAST_STRINGS BIT(0)

/* Kernels set these of K8's errata: flushes of the caches, and of the TLB. AMD BIOS and Kernel Developer's Guide, "HWCR". */
#define HWCR_IGNORED (BIT(3) | BIT(6))

#define EFER_ALLOWED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

/*
 * Switched with the guest by SVM (VMLOAD, VMSAVE) or kept in the VMCS; VMX switches neither the system-call MSRs nor
 * KERNEL_GS_BASE, and need not: the hypervisor makes no use of them, so they hold the guest's values while it is in the CPU.
 */
const uint32_t msr_passthrough[] = {
	IA32_FS_BASE, IA32_GS_BASE, IA32_KERNEL_GS_BASE, IA32_STAR,         IA32_LSTAR,
	IA32_CSTAR,   IA32_FMASK,   IA32_SYSENTER_CS,    IA32_SYSENTER_ESP, IA32_SYSENTER_EIP,
};
const size_t msr_passthrough_count = ARRAY_LEN(msr_passthrough);

static bool efer_write(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = virt->get(vcpu, FIELD_EFER);

	if (value & ~EFER_ALLOWED)
		return false;
	/* AMD APM vol. 2 "Long Mode Enable (LME) Bit": not while paging is on. LMA is the CPU's to set. */
	if ((value ^ old) & EFER_LME && virt->get(vcpu, FIELD_CR0) & CR0_PG)
		return false;
	virt->set(vcpu, FIELD_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	return true;
}

static bool pat_write(struct vcpu *vcpu, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(value >> (8 * i));

		if (type > PAT_UC_MINUS || type == 2 || type == 3)
			return false;
	}
	virt->set(vcpu, FIELD_PAT, value);
	return true;
}

static bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case IA32_EFER:
		*value = virt->get(vcpu, FIELD_EFER);
		return true;
	case IA32_PAT:
		*value = virt->get(vcpu, FIELD_PAT);
		return true;
	case IA32_TIME_STAMP_COUNTER:
		*value = rdtsc() + virt->get(vcpu, FIELD_TSC_OFFSET);
		return true;
	case IA32_APIC_BASE:
		*value = vcpu->arch.apic.base;
		return true;
	case IA32_MISC_ENABLE:
		*value = MISC_ENABLE_FAST_STRINGS;
		return true;
	case IA32_PLATFORM_ID:
	case IA32_BIOS_SIGN_ID: /* no microcode update */
		*value = 0;
		return true;
	case AMD_HWCR: /* kernels read these on AMD's without asking whether they are there; all features in them are off */
	case AMD_INT_PENDING:
		*value = 0;
		return virt->hypercall_insn == HYPERCALL_VMMCALL;
	case IA32_X2APIC_FIRST ... IA32_X2APIC_LAST:
		return apic_read_msr(vcpu, msr, value);
	case IA32_TSC_DEADLINE:
		*value = vcpu->arch.apic.tsc_deadline;
		return true;
	case MSR_KVM_SYSTEM_TIME_NEW:
		*value = vcpu->arch.clock_page;
		return true;
	case MSR_KVM_WALL_CLOCK_NEW:
		*value = vcpu->arch.wall_clock;
		return true;
	}
	return false;
}

static bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case IA32_EFER:
		return efer_write(vcpu, value);
	case IA32_PAT:
		return pat_write(vcpu, value);
	case IA32_TIME_STAMP_COUNTER:
		virt->set(vcpu, FIELD_TSC_OFFSET, value - rdtsc());
		apic_timer_tsc_changed(vcpu);
		kvmclock_tsc_changed(vcpu);
		return true;
	case IA32_APIC_BASE:
		return apic_write_base(vcpu, value);
	case AMD_HWCR:
		return virt->hypercall_insn == HYPERCALL_VMMCALL && !(value & ~HWCR_IGNORED);
	case IA32_BIOS_SIGN_ID: /* software clears it before it asks CPUID for the revision */
		return true;
	case IA32_X2APIC_FIRST ... IA32_X2APIC_LAST:
		return apic_write_msr(vcpu, msr, value);
	case IA32_TSC_DEADLINE:
		apic_timer_write_deadline(vcpu, value);
		return true;
	case MSR_KVM_SYSTEM_TIME_NEW:
		return kvmclock_write_system_time(vcpu, value);
	case MSR_KVM_WALL_CLOCK_NEW:
		return kvmclock_write_wall_clock(vcpu, value);
	}
	return false;
}

static void log_undefined(struct vcpu *vcpu, const char *what, uint32_t msr)
{
	if (vcpu->arch.msrs_logged >= MSRS_LOGGED)
		return;
	vcpu->arch.msrs_logged++;
	log_vm_warn(vcpu->vm, "guest's %s of MSR %#x at rip %#lx: #GP%s", what, msr, virt->get(vcpu, FIELD_RIP),
		    vcpu->arch.msrs_logged == MSRS_LOGGED ? "; further ones are not logged" : "");
}

bool emulate_rdmsr(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->arch.gpr;
	uint64_t value;

	if (!msr_read(vcpu, (uint32_t)gpr[RCX], &value)) {
		log_undefined(vcpu, "read", (uint32_t)gpr[RCX]);
		return false;
	}
	gpr[RAX] = (uint32_t)value;
	gpr[RDX] = value >> 32;
	return true;
}

bool emulate_wrmsr(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->arch.gpr;
	uint64_t value = gpr[RDX] << 32 | (uint32_t)gpr[RAX];

	if (msr_write(vcpu, (uint32_t)gpr[RCX], value))
		return true;
	log_undefined(vcpu, "write", (uint32_t)gpr[RCX]);
	return false;
}
