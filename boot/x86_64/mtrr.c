/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MTRRs of the first CPU for the others. Firmware that starts CPUs itself has given them the same, but an INIT may have cleared
 * them: QEMU's does. Intel SDM vol. 3 "MTRR Considerations in MP Systems".
 */
#include "boot/x86_64/mtrr.h"

#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"

#define MTRRCAP_VARIABLE BITS(7, 0)
#define MTRRCAP_FIXED    BIT(8)
#define DEF_TYPE_ENABLED BIT(11)

/* Bases and masks in turn. */
#define IA32_MTRR_PHYSBASE0 0x200

static const uint16_t fixed_msrs[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

enum { MOST_VARIABLE = 32, MOST_MTRRS = ARRAY_LEN(fixed_msrs) + 2 * MOST_VARIABLE };

/* Written by the first CPU before it starts another one. */
static struct {
	uint64_t def_type;
	unsigned count;
	struct {
		uint32_t msr;
		uint64_t value;
	} mtrr[MOST_MTRRS];
} first;

static void keep(uint32_t msr)
{
	first.mtrr[first.count].msr = msr;
	first.mtrr[first.count++].value = rdmsr(msr);
}

void mtrr_save(void)
{
	uint64_t cap;
	unsigned variable;

	first.count = 0;
	if (!(cpuid(1, 0).edx & CPUID_1_EDX_MTRR))
		return;
	cap = rdmsr(IA32_MTRRCAP);
	variable = (unsigned)min_u64(cap & MTRRCAP_VARIABLE, MOST_VARIABLE);
	first.def_type = rdmsr(IA32_MTRR_DEF_TYPE);
	for (unsigned i = 0; i < ARRAY_LEN(fixed_msrs) && (cap & MTRRCAP_FIXED); i++)
		keep(fixed_msrs[i]);
	for (uint32_t i = 0; i < 2 * variable; i++)
		keep(IA32_MTRR_PHYSBASE0 + i);
}

static bool are_same(void)
{
	for (unsigned i = 0; i < first.count; i++)
		if (rdmsr(first.mtrr[i].msr) != first.mtrr[i].value)
			return false;
	return rdmsr(IA32_MTRR_DEF_TYPE) == first.def_type;
}

static void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

/* In the manual's order: caches off and empty, the TLB empty, MTRRs off, written, on, and back again. */
void mtrr_load(void)
{
	uint64_t cr0 = read_cr0();

	if (first.count == 0 || are_same())
		return;
	write_cr0((cr0 & ~CR0_NW) | CR0_CD);
	wbinvd();
	write_cr3(read_cr3());
	wrmsr(IA32_MTRR_DEF_TYPE, first.def_type & ~DEF_TYPE_ENABLED);
	for (unsigned i = 0; i < first.count; i++)
		wrmsr(first.mtrr[i].msr, first.mtrr[i].value);
	wrmsr(IA32_MTRR_DEF_TYPE, first.def_type);
	wbinvd();
	write_cr3(read_cr3());
	write_cr0(cr0);
}
