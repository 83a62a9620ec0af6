/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the hypervisor runs with HCR_EL2.E2H set. It does where that cannot be cleared (no FEAT_E2H0: Apple's CPUs, the EL2 that
 * KVM lends); elsewhere by choice only. Source: Arm ARM (DDI 0487), "HCR_EL2", "ID_AA64MMFR4_EL1", "ID_AA64MMFR1_EL1".
 */
#include "include/arch/aarch64/e2h.h"

#include "include/log.h"

bool host_e2h;

/* CPUs older than the field of ID_AA64MMFR4_EL1 do not say: it is tried. */
static bool is_fixed(void)
{
	return id_field(read_sysreg(ID_AA64MMFR4_EL1), ID_AA64MMFR4_E2H0_SHIFT) != 0 || try_hcr(HCR_RW) & HCR_E2H;
}

bool e2h_choose(bool wanted)
{
	bool fixed = is_fixed(), there = fixed || id_field(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_VH_SHIFT) != 0;

	if (wanted && !there)
		return false;
	host_e2h = fixed || wanted;
	if (host_e2h)
		log_info("el2: the hypervisor runs with HCR_EL2.E2H set, %s",
			 fixed ? "which this CPU cannot clear" : "as vhe = on says");
	return true;
}
