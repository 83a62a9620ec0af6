/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's own page tables, walked in software: only for harts that leave htval 0 after a guest-page fault, as they may.
 * Source: RISC-V Privileged, "Hypervisor Trap Value (htval) Register"; "Virtual Address Translation Process" of Sv32.
 */
#include <string.h>

#include "mm/frame.h"
#include "vmm/riscv64/riscv.h"

#define PTE_V   BIT(0)
#define PTE_RWX BITS(3, 1)
#define PTE_PPN BITS(53, 10)

/* A table that is not backed now is what faulted. */
static bool peek_entry(struct vcpu *vcpu, uint64_t gpa, uint64_t *entry)
{
	hpa_t hpa;

	if (addr_space_translate(&vcpu->vm->as, GPA(gpa), &hpa) != ERR_OK)
		return false;
	memcpy(entry, frame_ptr(hpa), sizeof(*entry));
	return true;
}

void walk_find_fault(struct vcpu *vcpu, struct npt_fault *fault)
{
	uint64_t vsatp = csr_read(CSR_VSATP), mode = vsatp >> ATP_MODE_SHIFT, gva = vcpu->arch.stval;
	uint64_t table = (vsatp & ATP_PPN) << PAGE_SHIFT;

	if (mode == ATP_BARE) {
		fault->gpa = GPA(gva);
		return;
	}
	for (unsigned level = (unsigned)(mode - ATP_SV39) + 3; level-- > 0;) {
		unsigned shift = PAGE_SHIFT + 9 * level;
		uint64_t at = table + (gva >> shift & 511) * 8, entry;

		if (!peek_entry(vcpu, at, &entry)) {
			*fault = (struct npt_fault){ .gpa = GPA(at), .access = NPT_R, .on_guest_walk = true };
			return;
		}
		table = (entry & PTE_PPN) << 2;
		if ((entry & PTE_V) && (entry & PTE_RWX)) {
			fault->gpa = GPA(align_down(table, BIT(shift)) | (gva & (BIT(shift) - 1)));
			return;
		}
	}
}
