/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What EL2 decides of EL1, the same for all guests, on each CPU. Source: Arm ARM (DDI 0487), each register's description; most
 * reset values are UNKNOWN, so every control gets a value.
 */
#include "include/arch/aarch64/guarded.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"

uint64_t el2_hcr;

static bool has(uint64_t id, unsigned shift)
{
	return id_field(id, shift) != 0;
}

/*
 * "HCR_EL2". Set and way operations are not trapped: with SWIO they clean as well, so that nothing of ours is lost. A vCPU may go
 * on on another CPU: its own TLB and instruction cache maintenance, and its barriers, are for all CPUs (FB, BSU).
 */
uint64_t guest_hcr(void)
{
	uint64_t hcr = HCR_VM | HCR_SWIO | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS | HCR_TWI | HCR_TID3 |
		       HCR_TSC | HCR_TIDCP | HCR_TACR | host_hcr();

	if (cpu_has_fwb())
		hcr |= HCR_FWB;
	if (has(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_LO_SHIFT))
		hcr |= HCR_TLOR;
	if (has(read_sysreg(id_aa64pfr0_el1), ID_AA64PFR0_RAS_SHIFT))
		hcr |= HCR_TERR | HCR_TEA;
	if (cpu_has_pointer_authentication())
		hcr |= HCR_APK | HCR_API; /* not trapped */
	if (has(read_sysreg(ID_AA64PFR1_EL1), ID_AA64PFR1_MTE_SHIFT))
		hcr |= HCR_TID5;
	return hcr;
}

/* "CPTR_EL2": FP and SIMD are the guest's; SVE, SME, trace and activity monitors are not. */
static uint64_t guest_cptr(void)
{
	uint64_t cptr = host_e2h ? CPTR_E2H_FPEN | CPTR_E2H_TTA : CPTR_EL2_RES1 | CPTR_EL2_TZ | CPTR_EL2_TSM | CPTR_EL2_TTA;

	if (has(read_sysreg(id_aa64pfr0_el1), ID_AA64PFR0_AMU_SHIFT))
		cptr |= CPTR_EL2_TAM; /* at the same place in both layouts */
	return cptr;
}

/* "MDCR_EL2": debug, performance monitors, profiling and trace trap. HPMN 0 would be CONSTRAINED UNPREDICTABLE. */
static uint64_t guest_mdcr(void)
{
	uint64_t dfr0 = read_sysreg(id_aa64dfr0_el1);
	unsigned pmu = id_field(dfr0, ID_AA64DFR0_PMUVER_SHIFT);
	uint64_t pmcr, mdcr = MDCR_EL2_TDA | MDCR_EL2_TDOSA | MDCR_EL2_TDRA;

	if (pmu != 0 && pmu != PMUVER_IMPDEF) {
		sysreg_try_read(pmcr_el0, &pmcr);
		mdcr |= MDCR_EL2_TPM | MDCR_EL2_TPMCR | (pmcr >> PMCR_N_SHIFT & PMCR_N_MASK);
	}
	if (has(dfr0, ID_AA64DFR0_PMSVER_SHIFT))
		mdcr |= MDCR_EL2_TPMS;
	if (has(dfr0, ID_AA64DFR0_TRACEFILT_SHIFT))
		mdcr |= MDCR_EL2_TTRF;
	return mdcr;
}

/*
 * "Fine-grained traps": what is of later extensions traps by a 0, what is older does not. A CPU may have the registers
 * while EL3 keeps them from us (SCR_EL3.FGTEn, HXEn): then it decides, by 0 as we would.
 */
static void reset_fine_grained_traps(uint64_t pfr0)
{
	unsigned fgt = id_field(read_sysreg(id_aa64mmfr0_el1), ID_AA64MMFR0_FGT_SHIFT);

	if (fgt >= FGT_1) {
		sysreg_try_write(HFGRTR_EL2, 0);
		sysreg_try_write(HFGWTR_EL2, 0);
		sysreg_try_write(HFGITR_EL2, 0);
		sysreg_try_write(HDFGRTR_EL2, 0);
		sysreg_try_write(HDFGWTR_EL2, 0);
		if (has(pfr0, ID_AA64PFR0_AMU_SHIFT))
			sysreg_try_write(HAFGRTR_EL2, 0);
	}
	if (fgt >= FGT_2) {
		sysreg_try_write(HFGRTR2_EL2, 0);
		sysreg_try_write(HFGWTR2_EL2, 0);
		sysreg_try_write(HFGITR2_EL2, 0);
		sysreg_try_write(HDFGRTR2_EL2, 0);
		sysreg_try_write(HDFGWTR2_EL2, 0);
	}
	if (has(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_HCX_SHIFT))
		sysreg_try_write(HCRX_EL2, 0);
}

/* "MPAM2_EL2", "MPAMHCR_EL2" (DDI 0598): the guest's memory traffic is of partition 0, and its accesses to the registers trap. */
static void reset_mpam(uint64_t pfr0)
{
	uint64_t mpamidr;

	if (!has(pfr0, ID_AA64PFR0_MPAM_SHIFT) && !has(read_sysreg(ID_AA64PFR1_EL1), ID_AA64PFR1_MPAM_FRAC_SHIFT))
		return;
	if (!sysreg_try_read(MPAMIDR_EL1, &mpamidr))
		return;
	sysreg_try_write(MPAM2_EL2,
			 MPAM2_MPAMEN | MPAM2_TRAPMPAM0EL1 | MPAM2_TRAPMPAM1EL1 | (mpamidr & MPAMIDR_HAS_TIDR ? MPAM2_TIDR : 0));
	if (mpamidr & MPAMIDR_HAS_HCR)
		sysreg_try_write(MPAMHCR_EL2, MPAMHCR_TRAP_MPAMIDR_EL1);
	if (host_e2h)
		sysreg_try_write(MPAM1_EL12, MPAM2_MPAMEN);
	else
		sysreg_try_write(MPAM1_EL1, MPAM2_MPAMEN);
	sysreg_try_write(MPAM0_EL1, 0);
}

/* Does this CPU use its GIC by system registers? No guest is to use them, but by list registers. */
static bool close_gic(void)
{
	uint64_t sre;

	if (!sysreg_try_read(ICC_SRE_EL2, &sre))
		return false;
	sysreg_try_write(ICC_SRE_EL2, (sre | ICC_SRE_SRE) & ~ICC_SRE_ENABLE);
	isb();
	if (!sysreg_try_read(ICC_SRE_EL2, &sre) || !(sre & ICC_SRE_SRE))
		return false;
	sysreg_try_write(ICH_HCR_EL2, ICH_HCR_TC | ICH_HCR_TALL0 | ICH_HCR_TALL1);
	return true;
}

/*
 * A guest finds no GIC of the machine's at the CPU, unless it has list registers (lists.c). By system registers the hypervisor
 * alone uses it, where it has them.
 */
static void reset_gic(void)
{
	bool by_sysregs = close_gic();

	if (arch_this_cpu()->id == 0)
		lists_init(by_sysregs);
	lists_reset();
}

/* Registers of extensions, which trap or let on by bits that are UNKNOWN at reset: nothing is let on, nothing else traps. */
static void reset_extensions(void)
{
	uint64_t pfr0 = read_sysreg(id_aa64pfr0_el1);

	reset_fine_grained_traps(pfr0);
	reset_mpam(pfr0);
	reset_gic();
}

void el2_reset(uint64_t midr)
{
	el2_hcr = guest_hcr(); /* the same on all CPUs */
	write_sysreg(hcr_el2, el2_hcr);
	write_sysreg(hstr_el2, 0);
	write_sysreg(cptr_el2, guest_cptr());
	write_sysreg(mdcr_el2, guest_mdcr());
	/* Both timers of EL1 are the guest's; their interrupts come to EL2: timer.c. */
	write_sysreg(cnthctl_el2, host_e2h ? CNTHCTL_E2H_EL1PCTEN | CNTHCTL_E2H_EL1PTEN : CNTHCTL_EL1PCTEN | CNTHCTL_EL1PCEN);
	/* Virtual time is the machine's. With another offset QEMU 7.2 hangs when a guest's CNTV_CVAL_EL0 and it exceed 64 bits. */
	write_sysreg(cntvoff_el2, 0);
	write_sysreg(vpidr_el2, midr);
	write_sysreg(mdscr_el1, 0); /* which no guest can write */
	/* No VM yet; what is flushed by VMID meanwhile, is by those of the right width. */
	write_sysreg(vtcr_el2, VTCR_RES1 | (cpu_has_vmid16() ? VTCR_VS_16 : 0));
	write_sysreg(vttbr_el2, 0);
	isb();
	reset_extensions();
}
