/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the identification registers tell a guest: of the CPU's features, those that need nothing of a hypervisor, or
 * whose part has been thought about. All else reads as not there, and what it would bring traps.
 * Source: Arm ARM (DDI 0487), "ID_AA64PFR0_EL1" and the registers that follow it.
 *
 * Left out on purpose: EL2 and EL3; AArch32; SVE, SME, MTE, RAS, AMU, MPAM, RME (state or traps of their own); the GIC's CPU
 * interface where there are no list registers; PMU, SPE, trace; LORegions, HAFDBS-like features of stage 2, FGT, ECV; what HCRX_EL2
 * would have to let on (MOPS, LS64, XS, TCR2, SCTLR2); WFxT (WFIT traps, and ends at once).
 */
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"

#define FIELD(shift)        (UINT64_C(0xf) << (shift))
#define VALUE(value, shift) ((uint64_t)(value) << (shift))

/* FP, AdvSIMD, DIT, CSV3; EL0 and EL1 are AArch64; of CSV2 no more than 1, for 2 brings registers. */
static uint64_t pfr0(uint64_t host)
{
	const unsigned csv2 = 56;

	return (host & (FIELD(16) | FIELD(20) | FIELD(48) | FIELD(60))) | VALUE(1, 0) | VALUE(1, 4) |
	       VALUE(guests_have_gicv3(), ID_AA64PFR0_GIC_SHIFT) | VALUE(min_u64(id_field(host, csv2), 1), csv2);
}

/* The debug registers read as zeros and ignore writes: two breakpoints and watchpoints, the architecture's minimum. */
static uint64_t dfr0(void)
{
	return VALUE(6, 0) | VALUE(1, 12) | VALUE(1, 20);
}

/* Addresses are as wide as stage 2 takes them. ASIDBits, BigEnd, BigEndEL0, TGran16, TGran64, TGran4, ExS are the host's. */
static uint64_t mmfr0(unsigned pa_range, uint64_t host)
{
	return (host & (FIELD(4) | FIELD(8) | FIELD(16) | FIELD(20) | FIELD(24) | FIELD(28) | FIELD(44))) |
	       VALUE(pa_range, ID_AA64MMFR0_PARANGE_SHIFT);
}

/* Fields of pointer authentication, whose keys may be withheld from us. */
static const uint64_t isar1_keys = FIELD(4) | FIELD(8) | FIELD(24) | FIELD(28), isar2_keys = FIELD(8) | FIELD(12) | FIELD(24);

static uint64_t without_keys(uint64_t fields)
{
	return cpu_has_pointer_authentication() ? 0 : fields;
}

static uint64_t id_register(unsigned pa_range, unsigned crm, unsigned op2)
{
	switch (crm << 4 | op2) {
	case 0x40: /* ID_AA64PFR0_EL1 */
		return pfr0(read_sysreg(id_aa64pfr0_el1));
	case 0x41: /* ID_AA64PFR1_EL1: BT, SSBS */
		return read_sysreg(ID_AA64PFR1_EL1) & (FIELD(0) | FIELD(4));
	case 0x50: /* ID_AA64DFR0_EL1 */
		return dfr0();
	case 0x60: /* ID_AA64ISAR0_EL1: all but TME */
		return read_sysreg(id_aa64isar0_el1) & ~FIELD(24);
	case 0x61: /* ID_AA64ISAR1_EL1: all but XS and LS64; APA, API, GPA, GPI if there are keys */
		return read_sysreg(id_aa64isar1_el1) & ~(FIELD(56) | FIELD(60) | without_keys(isar1_keys));
	case 0x62: /* ID_AA64ISAR2_EL1: RPRES, BC; GPA3, APA3, PAC_frac if there are keys */
		return read_sysreg(ID_AA64ISAR2_EL1) & (FIELD(4) | FIELD(20) | isar2_keys) & ~without_keys(isar2_keys);
	case 0x70: /* ID_AA64MMFR0_EL1 */
		return mmfr0(pa_range, read_sysreg(id_aa64mmfr0_el1));
	case 0x71: /* ID_AA64MMFR1_EL1: HAFDBS, HPDS, PAN, ETS, AFP */
		return read_sysreg(id_aa64mmfr1_el1) & (FIELD(0) | FIELD(12) | FIELD(20) | FIELD(36) | FIELD(44));
	case 0x72: /* ID_AA64MMFR2_EL1: CnP, UAO, LSM, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD */
		return read_sysreg(ID_AA64MMFR2_EL1) & (FIELD(0) | FIELD(4) | FIELD(8) | FIELD(16) | FIELD(20) | FIELD(28) |
							FIELD(32) | FIELD(36) | FIELD(48) | FIELD(52) | FIELD(60));
	default: /* AArch32's, those of what is left out, and those that are not allocated yet */
		return 0;
	}
}

/* Constant once the first CPU is enabled. CRm 0 has registers that do not trap. */
static uint64_t tables[PA_RANGES][8][8];

void id_tables_init(void)
{
	for (unsigned range = 0; range <= cpu_pa_range(); range++)
		for (unsigned crm = 0; crm < 8; crm++)
			for (unsigned op2 = 0; op2 < 8; op2++)
				tables[range][crm][op2] = crm == 0 ? NO_ID : id_register(range, crm, op2);
}

const uint64_t *id_table(const struct vm *vm)
{
	return tables[vm->arch.pa_range][0];
}

uint64_t guest_id_register(const struct vm *vm, unsigned crm, unsigned op2)
{
	return tables[vm->arch.pa_range][crm][op2];
}
