/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one VM has taught the CPU's branch predictors, another is not to be led by. Where the CPU does not keep them
 * apart by itself, firmware has a call that clears them, and says whether this CPU needs it.
 * Sources: Arm DEN0028, "SMCCC_ARCH_FEATURES", "SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_3"; DEN0022,
 * "PSCI_FEATURES".
 */
#include "drivers/aarch64/psci.h"
#include "include/log.h"
#include "vmm/aarch64/smccc.h"

#define SMCCC_ARCH_WORKAROUND_1 UINT32_C(0x80008000) /* branch targets (CVE-2017-5715) */
#define SMCCC_ARCH_WORKAROUND_3 UINT32_C(0x80003fff) /* and branch history (CVE-2022-23960) */

/* 0: none is needed, or there is none. */
static uint32_t workaround;

/* Firmware of SMCCC 1.0 may change x4 to x17, too. */
static int32_t smc(uint32_t function, uint32_t argument)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = argument;

	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1)
			 :
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
			   "memory");
	return (int32_t)x0;
}

static bool has_smccc_1_1(void)
{
	return smc(PSCI_VERSION, 0) >= PSCI_VERSION_1_0 && smc(PSCI_FEATURES, SMCCC_VERSION) >= 0 &&
	       smc(SMCCC_VERSION, 0) >= SMCCC_VERSION_1_1;
}

/* 0: this CPU needs it; 1: it is there for others. */
static bool is_needed(uint32_t function)
{
	return smc(SMCCC_ARCH_FEATURES, function) == 0;
}

void speculation_find(void)
{
	if (!psci_takes_smc() || !has_smccc_1_1())
		return;
	if (is_needed(SMCCC_ARCH_WORKAROUND_3))
		workaround = SMCCC_ARCH_WORKAROUND_3; /* does what the other one does as well */
	else if (is_needed(SMCCC_ARCH_WORKAROUND_1))
		workaround = SMCCC_ARCH_WORKAROUND_1;
	if (workaround)
		log_info("el2: between VMs, firmware clears this CPU's branch predictors (SMCCC call %#x)", workaround);
}

void speculation_forget(void)
{
	if (workaround)
		smc(workaround, 0);
}
