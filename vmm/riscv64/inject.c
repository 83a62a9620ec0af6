/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions and interrupts that the hypervisor raises in the guest. */
#include "include/arch/virt.h"
#include "vmm/riscv64/riscv.h"

/* What the hart does on a trap into VS-mode. RISC-V Privileged, "Trap Entry"; exceptions go to vstvec's base in any mode of it. */
void inject_exception(struct vcpu *vcpu, enum cause cause, uint64_t tval)
{
	uint64_t vsstatus = csr_read(CSR_VSSTATUS) & ~(SSTATUS_SPP | SSTATUS_SPIE);

	if (csr_read(CSR_SSTATUS) & SSTATUS_SPP)
		vsstatus |= SSTATUS_SPP;
	if (vsstatus & SSTATUS_SIE)
		vsstatus |= SSTATUS_SPIE;
	csr_write(CSR_VSSTATUS, vsstatus & ~SSTATUS_SIE);
	csr_write(CSR_VSCAUSE, cause);
	csr_write(CSR_VSEPC, vcpu->arch.pc);
	csr_write(CSR_VSTVAL, tval);
	/* And on in VS-mode. */
	csr_set(CSR_SSTATUS, SSTATUS_SPP);
	vcpu->arch.pc = csr_read(CSR_VSTVEC) & ~UINT64_C(3);
}

/*
 * What physical memory protection would do on a machine without a hypervisor: an access fault, of the kind of the access itself
 * also where it was the guest's page-table walk that was denied. "Physical Memory Protection", "Page-Based Virtual Memory".
 */
bool arch_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	static const enum cause causes[] = {
		[CAUSE_FETCH_GUEST_PAGE] = CAUSE_FETCH_ACCESS,
		[CAUSE_LOAD_GUEST_PAGE] = CAUSE_LOAD_ACCESS,
		[CAUSE_STORE_GUEST_PAGE] = CAUSE_STORE_ACCESS,
	};

	inject_exception(vcpu, causes[exit->reason], vcpu->arch.stval);
	return true;
}

/* What is pending is known elsewhere, and brought to the hart as often as one likes: from a change of it, and with the vCPU. */
void arch_vcpu_deliver(struct vcpu *vcpu)
{
	if (plic_is_asserted(&vcpu->vm->arch.plic, vcpu->id))
		csr_set(CSR_HVIP, BIT(IRQ_VSEI));
	else
		csr_clear(CSR_HVIP, BIT(IRQ_VSEI));
	harts_serve(vcpu);
}
