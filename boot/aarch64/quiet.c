/* SPDX-License-Identifier: BSD-2-Clause */
/* A CPU's own sources of interrupts. */
#include "boot/aarch64/quiet.h"

#include "include/arch/aarch64/e2h.h"
#include "include/arch/aarch64/guarded.h"

static void silence_timers(void)
{
	/* With HCR_EL2.E2H, which may be the firmware's choice still, these names mean EL2's timers, and EL1's have others. */
	write_sysreg(cntp_ctl_el0, 0);
	write_sysreg(cntv_ctl_el0, 0);
	if (read_sysreg(hcr_el2) & HCR_E2H) {
		write_sysreg(cntp_ctl_el02, 0);
		write_sysreg(cntv_ctl_el02, 0);
	}
	write_sysreg(cnthp_ctl_el2, 0);
	if (id_field(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_VH_SHIFT))
		write_sysreg(CNTHV_CTL_EL2, 0);
}

static void silence_counters(void)
{
	unsigned version = id_field(read_sysreg(id_aa64dfr0_el1), ID_AA64DFR0_PMUVER_SHIFT);

	if (version != 0 && version != PMUVER_IMPDEF)
		sysreg_try_write(pmintenclr_el1, UINT32_MAX);
}

/*
 * The CPU's end of a GICv3, if it has one and the firmware uses it by system registers. Whether there are such is not
 * asked of ID_AA64PFR0_EL1.GIC: a CPU that can may be built into a machine with an older GIC, or EL3 may keep the
 * registers from us. No other part of a GIC is touched: firmware's drivers switch off what they switched on, and there
 * may be none at all. GIC architecture specification (IHI 0069), "ICC_IGRPEN1_EL1", "ICC_PMR_EL1".
 */
static void silence_gic(void)
{
	uint64_t sre;

	if (!sysreg_try_read(ICC_SRE_EL2, &sre) || !(sre & ICC_SRE_SRE))
		return;
	sysreg_try_write(ICC_IGRPEN1_EL1, 0);
	sysreg_try_write(ICC_PMR_EL1, 0);
}

void quiet_cpu(void)
{
	/* Nothing is ever unmasked again while we run; while a guest runs, what arrives comes to EL2 (HCR_EL2). */
	__asm__ volatile("msr daifset, #0xf" : : : "memory");
	silence_timers();
	silence_counters();
	silence_gic();
	isb();
}
