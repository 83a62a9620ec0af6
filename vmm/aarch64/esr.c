/* SPDX-License-Identifier: BSD-2-Clause */
/* Exception syndromes in words. */
#include "include/arch/aarch64/esr.h"

#include <stdio.h>

const char *esr_class_name(uint64_t esr)
{
	static const char *const names[64] = {
		[EC_UNKNOWN] = "undefined instruction",
		[EC_WFX] = "WFI or WFE",
		[EC_CP15_32] = "AArch32 MCR or MRC (CP15)",
		[EC_CP15_64] = "AArch32 MCRR or MRRC (CP15)",
		[EC_CP14_32] = "AArch32 MCR or MRC (CP14)",
		[EC_CP14_LS] = "AArch32 LDC or STC",
		[EC_FP] = "SVE, SIMD or FP access",
		[EC_CP10_ID] = "AArch32 VMRS",
		[EC_PAC] = "pointer authentication",
		[EC_LS64] = "64-byte load or store",
		[EC_CP14_64] = "AArch32 MRRC (CP14)",
		[EC_BTI] = "branch target exception",
		[EC_ILLEGAL_STATE] = "illegal execution state",
		[EC_SVC32] = "AArch32 SVC",
		[EC_HVC32] = "AArch32 HVC",
		[EC_SMC32] = "AArch32 SMC",
		[EC_SVC64] = "SVC",
		[EC_HVC64] = "HVC",
		[EC_SMC64] = "SMC",
		[EC_SYSREG] = "MSR, MRS or SYS",
		[EC_SVE] = "SVE access",
		[EC_ERET] = "ERET",
		[EC_PAC_FAIL] = "pointer authentication failure",
		[EC_SME] = "SME access",
		[EC_IABT_LOW] = "instruction abort from a lower level",
		[EC_IABT_CUR] = "instruction abort",
		[EC_PC_ALIGN] = "PC alignment fault",
		[EC_DABT_LOW] = "data abort from a lower level",
		[EC_DABT_CUR] = "data abort",
		[EC_SP_ALIGN] = "SP alignment fault",
		[EC_MOPS] = "memory copy or set exception",
		[EC_FP32] = "AArch32 FP exception",
		[EC_FP64] = "FP exception",
		[EC_SERROR] = "SError",
		[EC_BREAKPT_LOW] = "breakpoint from a lower level",
		[EC_BREAKPT_CUR] = "breakpoint",
		[EC_STEP_LOW] = "software step from a lower level",
		[EC_STEP_CUR] = "software step",
		[EC_WATCHPT_LOW] = "watchpoint from a lower level",
		[EC_WATCHPT_CUR] = "watchpoint",
		[EC_BKPT32] = "AArch32 BKPT",
		[EC_BRK64] = "BRK",
	};
	const char *name = names[ESR_EC(esr)];

	return name ? name : "exception of an unknown class";
}

static const char *by_level(unsigned fsc)
{
	static const char *const names[] = {
		"address size fault",
		"translation fault",
		"access flag fault",
		"permission fault",
	};

	if (fsc < 4 * ARRAY_LEN(names))
		return names[fsc / 4];
	if (FSC_KIND(fsc) == FSC_EXTERNAL_WALK)
		return "external abort on a table walk";
	if (FSC_KIND(fsc) == FSC_ECC_WALK)
		return "parity or ECC error on a table walk";
	return NULL;
}

static const char *without_level(unsigned fsc)
{
	switch (fsc) {
	case FSC_EXTERNAL:
		return "external abort";
	case FSC_TAG_CHECK:
		return "tag check fault";
	case FSC_ECC:
		return "parity or ECC error";
	case FSC_ALIGNMENT:
		return "alignment fault";
	case FSC_TRANSLATION_M1:
		return "translation fault, level -1";
	case FSC_TLB_CONFLICT:
		return "TLB conflict";
	case FSC_ATOMIC_UPDATE:
		return "unsupported atomic hardware update";
	case FSC_LOCKDOWN:
		return "lockdown fault";
	case FSC_EXCLUSIVE:
		return "unsupported exclusive or atomic access";
	default:
		return "fault of an unknown kind";
	}
}

void esr_fault_name(uint64_t esr, char *text, size_t size)
{
	unsigned fsc = ABORT_FSC(esr);
	const char *name = by_level(fsc);

	if (name)
		snprintf(text, size, "%s, level %u", name, fsc & 3);
	else
		snprintf(text, size, "%s", without_level(fsc));
}
