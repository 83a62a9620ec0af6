/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one VM has taught the CPU's branch predictors, another is not to be led by. Where the CPU does not keep them
 * apart by itself, firmware has a call that clears them, and says whether this CPU needs it.
 * Sources: Arm DEN0028, "SMCCC_ARCH_FEATURES", "SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_3"; DEN0022,
 * "PSCI_FEATURES".
 */
#include "drivers/aarch64/psci.h"
#include "include/arch/aarch64/smc.h"
#include "include/log.h"
#include "vmm/aarch64/smccc.h"

#define SMCCC_ARCH_WORKAROUND_1 UINT32_C(0x80008000) /* branch targets (CVE-2017-5715) */
#define SMCCC_ARCH_WORKAROUND_3 UINT32_C(0x80003fff) /* and branch history (CVE-2022-23960) */

/* 0: none is needed, or there is none. */
static uint32_t workaround;

static int32_t call(uint32_t function, uint32_t argument)
{
	return (int32_t)smc(function, argument, 0, 0);
}

static bool has_smccc_1_1(void)
{
	return call(PSCI_VERSION, 0) >= PSCI_VERSION_1_0 && call(PSCI_FEATURES, SMCCC_VERSION) >= 0 &&
	       call(SMCCC_VERSION, 0) >= SMCCC_VERSION_1_1;
}

/* 0: this CPU needs it; 1: it is there for others. */
static bool is_needed(uint32_t function)
{
	return call(SMCCC_ARCH_FEATURES, function) == 0;
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
		call(workaround, 0);
}
