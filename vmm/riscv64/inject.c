/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions that the hypervisor raises in the guest. */
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
