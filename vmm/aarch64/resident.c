/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU comes into a CPU, and leaves it. All that a guest can see or change is moved; FP and SIMD registers with all else, which
 * is 44 instructions: a trap at their first use would cost more. Source: Arm ARM (DDI 0487), "VTTBR_EL2", "TLB maintenance
 * instructions", "HCR_EL2".
 */
#include "include/arch/cpu.h"
#include "include/arch/virt.h"

#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"

static struct vmids vmids;
static bool has_keys; /* of pointer authentication; constant once the first CPU is enabled */

static void flush_all(void)
{
	dsb(ishst);
	tlbi(alle1is);
	dsb(ish);
}

void resident_init(void)
{
	has_keys = cpu_has_pointer_authentication();
	vmids_init(&vmids, cpu_has_vmid16() ? 1u << 16 : 1u << 8, flush_all);
}

#define READ(name)      el1->name = read_sysreg(name);
#define READ_E2H(name)  el1->name = read_sysreg(name##2);
#define WRITE(name)     write_sysreg(name, el1->name);
#define WRITE_E2H(name) write_sysreg(name##2, el1->name);

static void read_el1(struct el1_registers *el1)
{
	FOR_PLAIN_REGISTERS(READ)
	if (host_e2h) {
		FOR_REDIRECTED_REGISTERS(READ_E2H)
	} else {
		FOR_REDIRECTED_REGISTERS(READ)
	}
}

static void write_el1(const struct el1_registers *el1)
{
	FOR_PLAIN_REGISTERS(WRITE)
	if (host_e2h) {
		FOR_REDIRECTED_REGISTERS(WRITE_E2H)
	} else {
		FOR_REDIRECTED_REGISTERS(WRITE)
	}
}

/* A barrier is needed between taking a VMID and the first walk under it: see vmid_get. */
static void enter_stage2(struct vcpu *vcpu, const struct cpu *cpu)
{
	const struct vm *vm = vcpu->vm;
	uint64_t vmid = vmid_take(&vmids, cpu->id, &vcpu->vm->arch.vmid);

	write_sysreg(vtcr_el2, vm->arch.vtcr);
	write_sysreg(vttbr_el2, vm->as.npt.root.raw | vmid << VTTBR_VMID_SHIFT);
	dsb(ish);
	isb();
	if (vmid_changes_stage1(&vcpu->vm->arch.last[cpu->id], vcpu->id)) {
		tlbi(vmalle1);
		dsb(nsh);
	}
}

void arch_vcpu_get(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;
	struct cpu *cpu = arch_this_cpu();

	if (cpu->arch.last_vm != vcpu->vm->number + 1) {
		speculation_forget();
		cpu->arch.last_vm = vcpu->vm->number + 1;
	}
	vcpu->arch.ids = id_table(vcpu->vm);
	enter_stage2(vcpu, cpu);
	/* A guest that waits for an event gives the CPU to who wants it; it may have it if nobody does. */
	write_sysreg(hcr_el2, el2_hcr | (cpu_ready(cpu) > 0 ? HCR_TWE : 0));
	write_sysreg(vmpidr_el2, MPIDR_RES1 | vcpu->id);
	write_el1(&kept->el1);
	write_extra_registers(&kept->extra);
	if (has_keys)
		write_pauth_keys(kept->keys);
	fp_load(&kept->fp);
	isb();
	interrupts_get(vcpu);
}

/* VTTBR_EL2 is to name no tables that may go; VMID 0 is no VM's. */
void arch_vcpu_put(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	take_late_errors(vcpu);
	fp_save(&kept->fp);
	read_el1(&kept->el1);
	timer_stop_all();
	interrupts_put(vcpu);
	read_extra_registers(&kept->extra);
	if (has_keys)
		read_pauth_keys(kept->keys);
	write_sysreg(vttbr_el2, 0);
	isb();
}
