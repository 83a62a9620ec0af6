/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest does next: go on behind an instruction, or take an exception that the hypervisor raises. Source: Arm ARM (DDI
 * 0487), "AArch64 Exception model", "ESR_EL1".
 */
#include "include/arch/virt.h"
#include "vmm/aarch64/aarch64.h"

/* Offset of the vector for a synchronous exception from where PSTATE says the guest is. "Exception vectors". */
static uint64_t vector_offset(uint64_t pstate)
{
	if (pstate & PSTATE_AARCH32)
		return 0x600;
	switch (pstate & PSTATE_MODE) {
	case PSTATE_EL1H:
		return 0x200;
	case PSTATE_EL1T:
		return 0x000;
	default:
		return 0x400;
	}
}

/* PSTATE on taking an exception to EL1. "Process state, PSTATE", "AArch64.TakeException". */
static uint64_t exception_pstate(uint64_t old)
{
	uint64_t sctlr = read_guest_sysreg(sctlr_el1), pstate = PSTATE_EL1H | PSTATE_DAIF;

	pstate |= old & (PSTATE_NZCV | PSTATE_DIT | PSTATE_PAN);
	if (id_field(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_PAN_SHIFT) && !(sctlr & SCTLR_EL1_SPAN))
		pstate |= PSTATE_PAN;
	if (sctlr & SCTLR_EL1_DSSBS)
		pstate |= PSTATE_SSBS;
	return pstate;
}

static void take_exception(struct vcpu_arch *arch, uint64_t esr)
{
	write_guest_sysreg(elr_el1, arch->pc);
	write_guest_sysreg(spsr_el1, arch->pstate);
	write_guest_sysreg(esr_el1, esr);
	arch->pc = read_guest_sysreg(vbar_el1) + vector_offset(arch->pstate);
	arch->pstate = exception_pstate(arch->pstate);
}

void inject_undefined(struct vcpu_arch *arch)
{
	take_exception(arch, (uint64_t)EC_UNKNOWN << ESR_EC_SHIFT | (arch->esr & ESR_IL));
}

/*
 * What the bus would answer on a machine without a hypervisor: a synchronous external abort. Of a walk the level is not
 * told to EL2; the last one is where most of them end.
 */
bool arch_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned class = ESR_EC(arch->esr); /* instruction or data abort, from a lower level than EL2's */
	uint64_t iss = exit->fault.on_guest_walk ? FSC_EXTERNAL_WALK + 3 : FSC_EXTERNAL;

	if (class == EC_DABT_LOW)
		iss |= arch->esr & (ABORT_WNR | ABORT_CM);
	if (!from_el0(arch))
		class += EC_DABT_CUR - EC_DABT_LOW;
	write_guest_sysreg(far_el1, arch->far);
	take_exception(arch, (uint64_t) class << ESR_EC_SHIFT | (arch->esr & ESR_IL) | iss);
	return true;
}
_Static_assert(EC_DABT_CUR - EC_DABT_LOW == EC_IABT_CUR - EC_IABT_LOW, "the classes lie in pairs");
