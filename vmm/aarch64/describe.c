/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for exits and for the guest's state. Nothing here changes either. */
#include <string.h>

#include "include/arch/virt.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/offsets.h"
#include "vmm/text.h"

static void describe_abort(const struct vcpu *vcpu, char *text, size_t size)
{
	const struct vcpu_arch *arch = &vcpu->arch;
	uint64_t gpa = (arch->hpfar & BITS(43, 4)) << 8 | (arch->far & (PAGE_SIZE - 1));
	char fault[64];

	esr_fault_name(arch->esr, fault, sizeof(fault));
	text_add(text, size, ", %s, at va %#lx, ipa %#lx%s", fault, arch->far, gpa,
		 arch->esr & ABORT_S1PTW ? " on a stage 1 walk" : "");
	if (ESR_EC(arch->esr) == EC_DABT_LOW && device_is_at(&vcpu->vm->devices, IO_MEMORY, gpa) && !(arch->esr & ABORT_ISV))
		text_add(text, size, ": an access to a device by an instruction that the CPU does not decode");
}

static void describe_sysreg(uint64_t esr, char *text, size_t size)
{
	uint32_t id = ESR_SYSREG(esr);

	text_add(text, size, ", %s of S%u_%u_C%u_C%u_%u", esr & ESR_SYSREG_READ ? "read" : "write", SYSREG_OP0(id), SYSREG_OP1(id),
		 SYSREG_CRN(id), SYSREG_CRM(id), SYSREG_OP2(id));
}

static void describe_sync(const struct vcpu *vcpu, char *text, size_t size)
{
	const struct vcpu_arch *arch = &vcpu->arch;

	text_add(text, size, "%s (ESR_EL2 %#lx)", esr_class_name(arch->esr), arch->esr);
	switch (ESR_EC(arch->esr)) {
	case EC_IABT_LOW:
	case EC_DABT_LOW:
		describe_abort(vcpu, text, size);
		break;
	case EC_SYSREG:
		describe_sysreg(arch->esr, text, size);
		break;
	case EC_HVC64:
	case EC_SMC64:
		text_add(text, size, ", x0 %#lx x1 %#lx x2 %#lx x3 %#lx", arch->x[0], arch->x[1], arch->x[2], arch->x[3]);
		break;
	}
}

/* What a guest without vectors ran into; its own registers have it. */
static void describe_exception(char *text, size_t size)
{
	uint64_t esr = read_guest_sysreg(esr_el1);

	text_add(text, size, "%s at %#lx (ESR_EL1 %#lx, FAR_EL1 %#lx), and its vectors (VBAR_EL1 %#lx) are not in RAM",
		 esr_class_name(esr), read_guest_sysreg(elr_el1), esr, read_guest_sysreg(far_el1), read_guest_sysreg(vbar_el1));
}

static const char *const interrupts[] = {
	[GUEST_EXIT_IRQ] = "IRQ",
	[GUEST_EXIT_FIQ] = "FIQ",
	[GUEST_EXIT_SERROR] = "SError",
};

/* The syndrome has nearly all; of an interrupt there is but the vector, a small number. */
void arch_exit_name(const struct vm_exit *exit, char *text, size_t size)
{
	if (exit->reason > GUEST_EXIT_SYNC && exit->reason < ARRAY_LEN(interrupts)) {
		text_add(text, size, "%s", interrupts[exit->reason]);
		return;
	}
	text_add(text, size, "%s (ESR_EL2 %#lx)", esr_class_name(exit->reason), exit->reason);
	if (ESR_EC(exit->reason) == EC_SYSREG)
		describe_sysreg(exit->reason, text, size);
	else if (exit->kind == VM_EXIT_ARCH)
		text_add(text, size, ", x0 %#lx", exit->detail[0]);
}

void arch_exit_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size)
{
	if (size == 0)
		return;
	text[0] = '\0';
	if (exit->kind == VM_EXIT_CRASH)
		describe_exception(text, size);
	else if (vcpu->arch.vector == GUEST_EXIT_SYNC)
		describe_sync(vcpu, text, size);
	else
		text_add(text, size, "%s of the machine's", interrupts[vcpu->arch.vector]);
}

void arch_vcpu_dump(struct vcpu *vcpu)
{
	const struct vcpu_arch *arch = &vcpu->arch;

	for (unsigned i = 0; i < 28; i += 4)
		log_vm_err(vcpu->vm, " x%-2u %016lx x%-2u %016lx x%-2u %016lx x%-2u %016lx", i, arch->x[i], i + 1, arch->x[i + 1],
			   i + 2, arch->x[i + 2], i + 3, arch->x[i + 3]);
	log_vm_err(vcpu->vm, " x28 %016lx x29 %016lx x30 %016lx", arch->x[28], arch->x[29], arch->x[30]);
	log_vm_err(vcpu->vm, " pc  %016lx pstate %lx sp_el0 %lx sp_el1 %lx", arch->pc, arch->pstate, read_sysreg(sp_el0),
		   read_sysreg(sp_el1));
	log_vm_err(vcpu->vm, " sctlr %lx tcr %lx ttbr0 %lx ttbr1 %lx mair %lx", read_guest_sysreg(sctlr_el1),
		   read_guest_sysreg(tcr_el1), read_guest_sysreg(ttbr0_el1), read_guest_sysreg(ttbr1_el1),
		   read_guest_sysreg(mair_el1));
	log_vm_err(vcpu->vm, " vbar %lx elr_el1 %lx spsr_el1 %lx esr_el1 %lx far_el1 %lx", read_guest_sysreg(vbar_el1),
		   read_guest_sysreg(elr_el1), read_guest_sysreg(spsr_el1), read_guest_sysreg(esr_el1), read_guest_sysreg(far_el1));
}
