/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the guest's code, and its data by its own addresses. */
#include "include/arch/riscv64/guarded.h"
#include "vmm/riscv64/riscv.h"

/*
 * 16 or 32 bits at a guest virtual address, aligned to as many, by HLVX.HU or HLVX.WU, which translate as a fetch with the
 * privilege in hstatus.SPVP would. "Hypervisor Virtual-Machine Load and Store Instructions". If it faults, hstatus and sstatus say
 * that the hypervisor trapped: they are put back, because sret needs them to return to the guest.
 */
#define FETCH(funct7, gva, bits)                                                                                              \
	({                                                                                                                    \
		uint64_t sstatus_ = csr_read(CSR_SSTATUS), hstatus_ = csr_read(CSR_HSTATUS), value_ = 0;                      \
		bool there_ =                                                                                                 \
			GUARDED(".insn r 0x73, 4, " #funct7 ", %[value], %[gva], x3", [value] "+&r"(value_), [gva] "r"(gva)); \
                                                                                                                              \
		if (!there_) {                                                                                                \
			csr_write(CSR_HSTATUS, hstatus_);                                                                     \
			csr_write(CSR_SSTATUS, sstatus_);                                                                     \
		}                                                                                                             \
		*(bits) = (uint32_t)value_;                                                                                   \
		there_;                                                                                                       \
	})

static bool fetch_half(uint64_t gva, uint32_t *half)
{
	return FETCH(0x32, gva, half);
}

static bool fetch_word(uint64_t gva, uint32_t *word)
{
	return FETCH(0x34, gva, word);
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

	if (gva % 4 == 0) {
		bool there = fetch_word(gva, insn);

		if ((*insn & 3) != 3)
			*insn = (uint16_t)*insn;
		return there;
	}
	if (!fetch_half(gva, insn))
		return false;
	if ((*insn & 3) != 3)
		return true;
	if (!fetch_half(gva + 2, &high))
		return false;
	*insn |= high << 16;
	return true;
}
