/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model-specific registers, by the names of Intel SDM vol. 4 "Model-Specific Registers" and AMD APM vol. 2 "MSR
 * Cross-Reference".
 */
#ifndef NESTLING_ARCH_X86_64_MSR_H
#define NESTLING_ARCH_X86_64_MSR_H

#include "include/types.h"

#define IA32_TIME_STAMP_COUNTER 0x10
#define IA32_PLATFORM_ID        0x17
#define IA32_APIC_BASE          0x1b
#define APIC_BASE_BSP           BIT(8)
#define APIC_BASE_EXTD          BIT(10) /* x2APIC mode */
#define APIC_BASE_EN            BIT(11)

#define IA32_FEATURE_CONTROL       0x3a
#define FEATURE_CONTROL_LOCK       BIT(0)
#define FEATURE_CONTROL_VMX_IN_SMX BIT(1)
#define FEATURE_CONTROL_VMX        BIT(2) /* outside SMX */

#define IA32_SPEC_CTRL         0x48
#define SPEC_CTRL_IBRS         BIT(0)
#define IA32_PRED_CMD          0x49
#define PRED_CMD_IBPB          BIT(0)
#define IA32_BIOS_SIGN_ID      0x8b
#define IA32_MTRRCAP           0xfe
#define IA32_ARCH_CAPABILITIES 0x10a
#define IA32_FLUSH_CMD         0x10b
#define FLUSH_CMD_L1D          BIT(0)
#define IA32_SYSENTER_CS       0x174
#define IA32_SYSENTER_ESP      0x175
#define IA32_SYSENTER_EIP      0x176
#define IA32_MCG_CAP           0x179
#define IA32_MISC_ENABLE       0x1a0
#define IA32_DEBUGCTL          0x1d9
#define IA32_PAT               0x277
#define IA32_MTRR_DEF_TYPE     0x2ff
#define IA32_TSC_DEADLINE      0x6e0
#define IA32_X2APIC_FIRST      0x800
#define IA32_X2APIC_LAST       0x8ff
#define IA32_X2APIC_LVT_TIMER  0x832

/* Intel SDM vol. 3 "VMX Capability Reporting Facility" */
#define IA32_VMX_BASIC               0x480
#define IA32_VMX_PINBASED_CTLS       0x481
#define IA32_VMX_PROCBASED_CTLS      0x482
#define IA32_VMX_EXIT_CTLS           0x483
#define IA32_VMX_ENTRY_CTLS          0x484
#define IA32_VMX_MISC                0x485
#define IA32_VMX_MISC                0x485
#define IA32_VMX_CR0_FIXED0          0x486
#define IA32_VMX_CR0_FIXED1          0x487
#define IA32_VMX_CR4_FIXED0          0x488
#define IA32_VMX_CR4_FIXED1          0x489
#define IA32_VMX_PROCBASED_CTLS2     0x48b
#define IA32_VMX_EPT_VPID_CAP        0x48c
#define IA32_VMX_TRUE_PINBASED_CTLS  0x48d
#define IA32_VMX_TRUE_PROCBASED_CTLS 0x48e
#define IA32_VMX_TRUE_EXIT_CTLS      0x48f
#define IA32_VMX_TRUE_ENTRY_CTLS     0x490

#define IA32_EFER   0xc0000080
#define EFER_SCE    BIT(0)
#define EFER_LME    BIT(8)
#define EFER_LMA    BIT(10)
#define EFER_NXE    BIT(11)
#define EFER_SVME   BIT(12)
#define EFER_LMSLE  BIT(13)
#define EFER_FFXSR  BIT(14)
#define EFER_TCE    BIT(15)
#define EFER_AIBRSE BIT(21)

#define IA32_STAR           0xc0000081
#define IA32_LSTAR          0xc0000082
#define IA32_CSTAR          0xc0000083
#define IA32_FMASK          0xc0000084
#define IA32_FS_BASE        0xc0000100
#define IA32_GS_BASE        0xc0000101
#define IA32_KERNEL_GS_BASE 0xc0000102
#define IA32_TSC_AUX        0xc0000103

#define AMD_SYSCFG      0xc0010010
#define AMD_HWCR        0xc0010015
#define AMD_INT_PENDING 0xc0010055 /* K8's, of C1E */

/* AMD APM vol. 2 "SVM Related MSRs" */
#define VM_CR        0xc0010114
#define VM_CR_LOCK   BIT(3)
#define VM_CR_SVMDIS BIT(4)
#define VM_HSAVE_PA  0xc0010117

/* Memory types as IA32_PAT, MTRRs and EPT encode them. Intel SDM vol. 3 "Page Attribute Table (PAT)". */
enum pat_type { PAT_UC = 0, PAT_WC = 1, PAT_WT = 4, PAT_WP = 5, PAT_WB = 6, PAT_UC_MINUS = 7 };

#define PAT_ENTRY(index, type) ((uint64_t)(type) << (8 * (index)))

/*
 * Our own layout, programmed by boot before the first guest runs: index = PAT bit * 4 + PCD * 2 + PWT of an entry.
 * AMD's nested walk reads the host's IA32_PAT, so npt/amd_npt.c relies on these indices too. The first four are the reset
 * values, so that maps made before the switch keep their meaning.
 */
enum host_pat_index { HOST_PAT_WB = 0, HOST_PAT_WT = 1, HOST_PAT_UC_MINUS = 2, HOST_PAT_UC = 3, HOST_PAT_WC = 4, HOST_PAT_WP = 5 };

#define HOST_PAT                                                                                                        \
	(PAT_ENTRY(HOST_PAT_WB, PAT_WB) | PAT_ENTRY(HOST_PAT_WT, PAT_WT) | PAT_ENTRY(HOST_PAT_UC_MINUS, PAT_UC_MINUS) | \
	 PAT_ENTRY(HOST_PAT_UC, PAT_UC) | PAT_ENTRY(HOST_PAT_WC, PAT_WC) | PAT_ENTRY(HOST_PAT_WP, PAT_WP) |             \
	 PAT_ENTRY(6, PAT_UC_MINUS) | PAT_ENTRY(7, PAT_UC))

/* IA32_PAT after reset: WB, WT, UC-, UC, twice. */
#define PAT_RESET UINT64_C(0x0007040600070406)

#endif
