/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the guest's code, and its data by its own addresses. */
#include "include/arch/riscv64/guarded.h"
#include "vmm/riscv64/riscv.h"

/*
 * 16 bits at a guest virtual address by HLVX.HU, which translates as a fetch with the privilege in hstatus.SPVP would.
 * "Hypervisor Virtual-Machine Load and Store Instructions". If it faults, hstatus and sstatus say that the hypervisor
 * trapped: they are put back, because sret needs them to return to the guest.
 */
static bool fetch_half(uint64_t gva, uint32_t *half)
{
	uint64_t sstatus = csr_read(CSR_SSTATUS), hstatus = csr_read(CSR_HSTATUS), value = 0;
	/* hlvx.hu value, (gva) */
	bool there = GUARDED(".insn r 0x73, 4, 0x32, %[value], %[gva], x3", [value] "+&r"(value), [gva] "r"(gva));

	csr_write(CSR_HSTATUS, hstatus);
	csr_write(CSR_SSTATUS, sstatus);
	*half = (uint32_t)value;
	return there;
}

bool guest_load(uint64_t gva, uint64_t *value)
{
	uint64_t sstatus = csr_read(CSR_SSTATUS), hstatus = csr_read(CSR_HSTATUS), loaded = 0;
	/* hlv.d loaded, (gva) */
	bool there = GUARDED(".insn r 0x73, 4, 0x36, %[loaded], %[gva], x0", [loaded] "+&r"(loaded), [gva] "r"(gva));

	csr_write(CSR_HSTATUS, hstatus);
	csr_write(CSR_SSTATUS, sstatus);
	*value = loaded;
	return there;
}

bool guest_fetch(uint64_t gva, uint32_t *insn)
{
	uint32_t high;

	if (!fetch_half(gva, insn))
		return false;
	if ((*insn & 3) != 3)
		return true;
	if (!fetch_half(gva + 2, &high))
		return false;
	*insn |= high << 16;
	return true;
}
