/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System registers: access, and their fields by the manual's names.
 * Source: Arm ARM (DDI 0487), chapter D "AArch64 System Register Descriptions", each under the register's name.
 *
 * Registers of extensions that the assembler's base architecture lacks are named by their encoding, as the manual gives
 * it for them: S<op0>_<op1>_C<CRn>_C<CRm>_<op2>.
 */
#ifndef NESTLING_ARCH_AARCH64_SYSREG_H
#define NESTLING_ARCH_AARCH64_SYSREG_H

#include "include/types.h"

#define SYSREG_TEXT(name) #name

#define read_sysreg(name)                                                      \
	({                                                                     \
		uint64_t value_;                                               \
		__asm__ volatile("mrs %0, " SYSREG_TEXT(name) : "=r"(value_)); \
		value_;                                                        \
	})
#define write_sysreg(name, value) __asm__ volatile("msr " SYSREG_TEXT(name) ", %x0" : : "rZ"((uint64_t)(value)) : "memory")

/* The four bits from `shift` up of an identification register. Signed fields say 0xf for "not there". */
static inline unsigned id_field(uint64_t id, unsigned shift)
{
	return (unsigned)(id >> shift) & 0xf;
}

#define CURRENTEL_EL(value) ((unsigned)(value) >> 2 & 3)

/* --- Identification ---------------------------------------------------------------------------------------------- */

#define ID_AA64PFR1_EL1  S3_0_C0_C4_1
#define ID_AA64ZFR0_EL1  S3_0_C0_C4_4
#define ID_AA64SMFR0_EL1 S3_0_C0_C4_5
#define ID_AA64ISAR2_EL1 S3_0_C0_C6_2
#define ID_AA64MMFR2_EL1 S3_0_C0_C7_2
#define ID_AA64MMFR4_EL1 S3_0_C0_C7_4

#define ID_AA64PFR0_GIC_SHIFT         24
#define ID_AA64PFR0_RAS_SHIFT         28
#define ID_AA64PFR0_SVE_SHIFT         32
#define ID_AA64PFR0_MPAM_SHIFT        40
#define ID_AA64PFR0_AMU_SHIFT         44
#define ID_AA64PFR1_MTE_SHIFT         8
#define ID_AA64PFR1_MPAM_FRAC_SHIFT   16
#define ID_AA64PFR1_SME_SHIFT         24
#define ID_AA64DFR0_PMUVER_SHIFT      8
#define ID_AA64DFR0_PMSVER_SHIFT      32
#define ID_AA64DFR0_TRACEFILT_SHIFT   40
#define ID_AA64DFR0_TRACEBUFFER_SHIFT 44
#define ID_AA64ISAR0_TLB_SHIFT        56
#define ID_AA64ISAR0_RNDR_SHIFT       60
#define ID_AA64ISAR1_APA_SHIFT        4
#define ID_AA64ISAR1_API_SHIFT        8
#define ID_AA64ISAR2_APA3_SHIFT       12
#define ID_AA64MMFR0_PARANGE_SHIFT    0
#define ID_AA64MMFR0_TGRAN16_SHIFT    20
#define ID_AA64MMFR0_TGRAN64_SHIFT    24
#define ID_AA64MMFR0_TGRAN4_SHIFT     28
#define ID_AA64MMFR0_TGRAN4_2_SHIFT   40
#define ID_AA64MMFR0_FGT_SHIFT        56
#define ID_AA64MMFR1_HAFDBS_SHIFT     0
#define ID_AA64MMFR1_VMIDBITS_SHIFT   4
#define ID_AA64MMFR1_VH_SHIFT         8
#define ID_AA64MMFR1_LO_SHIFT         16
#define ID_AA64MMFR1_PAN_SHIFT        20
#define ID_AA64MMFR1_HCX_SHIFT        40
#define ID_AA64MMFR2_FWB_SHIFT        40
#define ID_AA64MMFR4_E2H0_SHIFT       24

#define HAFDBS_ACCESS_AND_DIRTY 2
#define ID_AA64ISAR0_TLB_RANGES 2
#define FGT_1                   1
#define FGT_2                   2
#define PMUVER_IMPDEF           0xf

/* CTR_EL0: see cpu_fetches_stored_data. */
#define CTR_IDC BIT(28)
#define CTR_DIC BIT(29)

/* DCZID_EL0: block size, the logarithm of its words; prohibited. */
#define DCZID_BS  BITS(3, 0)
#define DCZID_DZP BIT(4)

/* --- The hypervisor's own regime ---------------------------------------------------------------------------------- */

/*
 * SCTLR_EL2: what must be 1 without HCR_EL2.E2H, and what we turn on. With E2H the former are controls of EL2&0, whose 1 is what is
 * so without it: exceptions synchronise, set no PAN, and nothing traps (EOS, EIS, SPAN, nTWI, nTWE, LSMAOE, nTLSMD; SA0, CP15BEN).
 */
#define SCTLR_EL2_RES1 (BIT(4) | BIT(5) | BIT(11) | BIT(16) | BIT(18) | BIT(22) | BIT(23) | BIT(28) | BIT(29))
#define SCTLR_M        BIT(0)  /* translation */
#define SCTLR_C        BIT(2)  /* data caches */
#define SCTLR_SA       BIT(3)  /* stack pointer alignment */
#define SCTLR_I        BIT(12) /* instruction caches */

/* TCR_EL2, and VTCR_EL2, whose fields of these names are at the same places; in TCR_EL2 PS is so without HCR_EL2.E2H only. */
#define TCR_T0SZ(bits)     (64 - (uint64_t)(bits))
#define TCR_T0SZ_MASK      BITS(5, 0)
#define TCR_IRGN0_WBWA     (UINT64_C(1) << 8)
#define TCR_ORGN0_WBWA     (UINT64_C(1) << 10)
#define TCR_SH0_INNER      (UINT64_C(3) << 12)
#define TCR_TG0            BITS(15, 14)
#define TCR_TG0_4K         (UINT64_C(0) << 14)
#define TCR_PS_SHIFT       16
#define TCR_PS_48_BITS     5
#define TCR_EL2_RES1       (BIT(23) | BIT(31))
/* TCR_EL2 with HCR_EL2.E2H: no second range of addresses, by TTBR1_EL2, whose size and granule must make sense all the same. */
#define TCR_E2H_EPD1       BIT(23)
#define TCR_E2H_T1SZ_SHIFT 16
#define TCR_E2H_TG1_4K     (UINT64_C(2) << 30)
#define TCR_E2H_IPS_SHIFT  32

#define TTBR_BADDR BITS(47, 1) /* the root may be less than a page, and so aligned */

/* MAIR_EL2: one byte for each index that npt/el2.c uses. "MAIR_ELx", Attr encodings. */
#define MAIR_NORMAL_WB     UINT64_C(0xff)
#define MAIR_NORMAL_WT     UINT64_C(0xbb)
#define MAIR_NORMAL_NC     UINT64_C(0x44)
#define MAIR_DEVICE_nGnRnE UINT64_C(0x00)

/* --- The guest's regime ------------------------------------------------------------------------------------------- */

#define HCR_VM     BIT(0) /* stage 2 */
#define HCR_SWIO   BIT(1) /* invalidation by set and way cleans too */
#define HCR_PTW    BIT(2) /* a stage 1 walk into Device memory faults */
#define HCR_FMO    BIT(3) /* FIQ, IRQ, SError come to EL2 */
#define HCR_IMO    BIT(4)
#define HCR_AMO    BIT(5)
#define HCR_VI     BIT(7)              /* an interrupt for EL1 */
#define HCR_FB     BIT(9)              /* TLB and instruction cache maintenance of EL1 is for all CPUs, */
#define HCR_BSU_IS (UINT64_C(1) << 10) /* and so are its barriers */
#define HCR_TWI    BIT(13)
#define HCR_TWE    BIT(14)
#define HCR_TID3   BIT(18)
#define HCR_TSC    BIT(19)
#define HCR_TIDCP  BIT(20)
#define HCR_TACR   BIT(21)
#define HCR_RW     BIT(31)
#define HCR_E2H    BIT(34)
#define HCR_TLOR   BIT(35)
#define HCR_TERR   BIT(36)
#define HCR_TEA    BIT(37)
#define HCR_APK    BIT(40)
#define HCR_API    BIT(41)
#define HCR_TID5   BIT(58) /* MTE's identification */
#define HCR_FWB    BIT(46) /* stage 2 alone decides about memory types */

#define VTCR_RES1        BIT(31)
#define VTCR_SL0_SHIFT   6
#define VTCR_VS_16       BIT(19)
#define VTCR_HA          BIT(21)
#define VTCR_HD          BIT(22)
#define VTTBR_VMID_SHIFT 48

/* CPTR_EL2 without HCR_EL2.E2H. TZ and TSM are RES1 on CPUs without SVE and SME. */
#define CPTR_EL2_RES1 (BITS(7, 0) | BIT(9) | BIT(13))
#define CPTR_EL2_TZ   BIT(8)
#define CPTR_EL2_TSM  BIT(12)
#define CPTR_EL2_TTA  BIT(20)
#define CPTR_EL2_TAM  BIT(30)
/* With HCR_EL2.E2H it is as CPACR_EL1: FP is let on by ones, and so would SVE and SME be. */
#define CPTR_E2H_FPEN BITS(21, 20)
#define CPTR_E2H_TTA  BIT(28)

#define MDCR_EL2_TPMCR BIT(5)
#define MDCR_EL2_TPM   BIT(6)
#define MDCR_EL2_TDA   BIT(9)
#define MDCR_EL2_TDOSA BIT(10)
#define MDCR_EL2_TDRA  BIT(11)
#define MDCR_EL2_TPMS  BIT(14)
#define MDCR_EL2_TTRF  BIT(19)
#define PMCR_N_SHIFT   11
#define PMCR_N_MASK    UINT64_C(0x1f)

#define CNTHCTL_EL1PCTEN     BIT(0) /* without HCR_EL2.E2H */
#define CNTHCTL_EL1PCEN      BIT(1)
#define CNTHCTL_E2H_EL1PCTEN BIT(10) /* with it */
#define CNTHCTL_E2H_EL1PTEN  BIT(11)
#define CNT_CTL_ENABLE       BIT(0)
#define CNT_CTL_IMASK        BIT(1)

#define MPIDR_RES1 BIT(31)

#define APIAKEYLO_EL1   S3_0_C2_C1_0
#define HCRX_EL2        S3_4_C1_C2_2
#define HFGRTR_EL2      S3_4_C1_C1_4
#define HFGWTR_EL2      S3_4_C1_C1_5
#define HFGITR_EL2      S3_4_C1_C1_6
#define HDFGRTR2_EL2    S3_4_C3_C1_0
#define HDFGWTR2_EL2    S3_4_C3_C1_1
#define HFGRTR2_EL2     S3_4_C3_C1_2
#define HFGWTR2_EL2     S3_4_C3_C1_3
#define HAFGRTR_EL2     S3_4_C3_C1_6
#define HFGITR2_EL2     S3_4_C3_C1_7
#define HDFGRTR_EL2     S3_4_C3_C1_4
#define HDFGWTR_EL2     S3_4_C3_C1_5
#define CNTHV_CTL_EL2   S3_4_C14_C3_1
#define MPAM1_EL1       S3_0_C10_C5_0
#define MPAM0_EL1       S3_0_C10_C5_1
#define MPAMIDR_EL1     S3_0_C10_C4_4
#define MPAMHCR_EL2     S3_4_C10_C4_0
#define MPAM2_EL2       S3_4_C10_C5_0
#define VSESR_EL2       S3_4_C5_C2_3
#define VDISR_EL2       S3_4_C12_C1_1
#define RNDRRS          S3_3_C2_C4_1
#define TPIDR2_EL0      S3_3_C13_C0_5
#define ICC_SRE_EL2     S3_4_C12_C9_5
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_SGI1R_EL1   S3_0_C12_C11_5
#define ICC_DIR_EL1     S3_0_C12_C11_1
#define ICC_SRE_EL1     S3_0_C12_C12_5
#define ICH_HCR_EL2     S3_4_C12_C11_0
#define ICH_VTR_EL2     S3_4_C12_C11_1
#define ICH_VMCR_EL2    S3_4_C12_C11_7

#define MPAMIDR_HAS_HCR          BIT(17)
#define MPAMIDR_HAS_TIDR         BIT(58)
#define MPAM2_TRAPMPAM1EL1       BIT(48)
#define MPAM2_TRAPMPAM0EL1       BIT(49)
#define MPAM2_TIDR               BIT(58) /* reads of MPAMIDR_EL1, where there is no MPAMHCR_EL2 */
#define MPAM2_MPAMEN             BIT(63) /* of MPAM1_EL1, too; EL3's to decide where there is one */
#define MPAMHCR_TRAP_MPAMIDR_EL1 BIT(31)

#define ICC_SRE_SRE       BIT(0)
#define ICC_SRE_NO_BYPASS (BIT(1) | BIT(2))
#define ICC_SRE_ENABLE    BIT(3) /* EL1 may have its own ICC_SRE_EL1 */

#define ICC_CTLR_EOIMODE BIT(1) /* the end of an interrupt takes a second register */

/* The virtual CPU interface is on; what it tells of by the maintenance interrupt; how many ends it found no list register for. */
#define ICH_HCR_EN             BIT(0)
#define ICH_HCR_UIE            BIT(1)  /* one list register is in use, or none */
#define ICH_HCR_LRENPIE        BIT(2)  /* such an end */
#define ICH_HCR_TDIR           BIT(14) /* writes of ICC_DIR_EL1 trap */
#define ICH_HCR_EOICOUNT_SHIFT 27
#define ICH_VTR_LISTS(vtr)     ((unsigned)((vtr)&0x1f) + 1)
#define ICH_VTR_PREBITS(vtr)   ((unsigned)((vtr) >> 26 & 7) + 1)
#define ICH_VMCR_VENG0         BIT(0)
#define ICH_VMCR_VENG1         BIT(1)
#define ICH_VMCR_VPMR_SHIFT    24

/* Every access of EL1 to the GIC's CPU interface traps. */
#define ICH_HCR_TC    BIT(10)
#define ICH_HCR_TALL0 BIT(11)
#define ICH_HCR_TALL1 BIT(12)

/* SCTLR_EL1 at reset, as a CPU has it that lacks what later made these bits mean something: all off. */
#define SCTLR_EL1_RESET (BIT(11) | BIT(20) | BIT(22) | BIT(23) | BIT(28) | BIT(29))
#define SCTLR_EL1_SPAN  BIT(23)
#define SCTLR_EL1_DSSBS BIT(44)

/* PSTATE as SPSR_ELx holds it. */
#define PSTATE_MODE    BITS(3, 0)
#define PSTATE_EL0T    UINT64_C(0x0)
#define PSTATE_EL1T    UINT64_C(0x4)
#define PSTATE_EL1H    UINT64_C(0x5)
#define PSTATE_AARCH32 BIT(4)
#define PSTATE_DAIF    BITS(9, 6)
#define PSTATE_BTYPE   BITS(11, 10)
#define PSTATE_SSBS    BIT(12)
#define PSTATE_SS      BIT(21)
#define PSTATE_PAN     BIT(22)
#define PSTATE_DIT     BIT(24)
#define PSTATE_NZCV    BITS(31, 28)

#define PAR_F  BIT(0)
#define PAR_PA BITS(51, 12)

#endif
