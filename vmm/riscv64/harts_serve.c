/* SPDX-License-Identifier: BSD-2-Clause */
/* What other harts of the guest have asked of this one is done here, on its hart: see harts.c. */
#include "include/arch/riscv64/insn.h"
#include "vmm/riscv64/riscv.h"

/* All of the first stage: the range is the guest's to choose, and may be endless. */
void harts_fence(void)
{
	fence_i();
	hfence_vvma_all();
}

void harts_serve(struct vcpu *vcpu)
{
	struct vcpu_arch *arch = &vcpu->arch;
	uint64_t wanted = __atomic_load_n(&arch->fence_wanted, __ATOMIC_ACQUIRE);

	if (wanted != arch->fence_done) {
		harts_fence();
		__atomic_store_n(&arch->fence_done, wanted, __ATOMIC_RELEASE);
	}
	if (__atomic_load_n(&arch->ipi, __ATOMIC_RELAXED) && __atomic_exchange_n(&arch->ipi, 0, __ATOMIC_ACQUIRE))
		csr_set(CSR_HVIP, BIT(IRQ_VSSI));
}
