/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest forks: its registers, which stay in the CPU, and its devices, copied; and put back when the copy's turn has
 * come. What EL2 decides of EL1 is the same for all guests and stays as arch_vcpu_reset made it. Registers that trap
 * have no value of the guest's.
 */
#include "include/arch/virt.h"

#include <string.h>

#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"

#define FOR_KEPT_REGISTERS(each)                                                                                                   \
	each(sctlr_el1) each(tcr_el1) each(ttbr0_el1) each(ttbr1_el1) each(mair_el1) each(amair_el1) each(vbar_el1)                \
		each(cpacr_el1) each(contextidr_el1) each(tpidr_el1) each(tpidr_el0) each(tpidrro_el0) each(esr_el1) each(far_el1) \
			each(afsr0_el1) each(afsr1_el1) each(par_el1) each(elr_el1) each(spsr_el1) each(sp_el0) each(sp_el1)       \
				each(csselr_el1) each(cntkctl_el1) each(cntvoff_el2) each(cntv_cval_el0) each(cntv_ctl_el0)        \
					each(cntp_cval_el0) each(cntp_ctl_el0) each(vmpidr_el2)

#define COUNT(name) +1
#define READ(name)  *values++ = read_sysreg(name);
#define WRITE(name) write_sysreg(name, *values++);
_Static_assert(0 FOR_KEPT_REGISTERS(COUNT) == ARRAY_LEN(((struct kept_state *)0)->registers), "struct kept_state");

static void read_registers(uint64_t *values)
{
	FOR_KEPT_REGISTERS(READ)
}

static void write_registers(const uint64_t *values)
{
	FOR_KEPT_REGISTERS(WRITE)
}

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	enum err err = new_stage2(child);

	if (err != ERR_OK)
		return err;
	child->arch.console = parent->arch.console;
	device_add(&child->devices, &child->arch.console.device);
	return ERR_OK;
}

void arch_vcpu_fork(struct vcpu *child, const struct vcpu *parent)
{
	child->arch = parent->arch;
}

void arch_vcpu_put(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	fp_save(&kept->fp);
	read_registers(kept->registers);
	read_extra_registers(&kept->extra);
	if (cpu_has_pointer_authentication())
		read_pauth_keys(kept->keys);
	/* Its tables may go: nothing may be in VTTBR_EL2 that still names them. VMID 0 is unused. */
	write_sysreg(vttbr_el2, 0);
	isb();
}

void arch_vcpu_get(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	speculation_forget();
	fp_load(&kept->fp);
	write_registers(kept->registers);
	write_extra_registers(&kept->extra);
	if (cpu_has_pointer_authentication())
		write_pauth_keys(kept->keys);
	enter_stage2(vcpu->vm);
}
