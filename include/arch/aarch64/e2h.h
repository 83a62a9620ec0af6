/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With HCR_EL2.E2H set (FEAT_VHE) the hypervisor's own translation regime is EL2&0, some controls of EL2 have another layout, and
 * EL2's accesses to many of EL1's registers reach EL2's own of the kind: EL1's have other names then, _EL12 and _EL02. Names that
 * end in _EL2 are right in both. HCR_EL2.TGE is clear always, so all else is as without E2H.
 * Source: Arm ARM (DDI 0487), "Virtualization Host Extensions", "System and Special-purpose register redirection".
 */
#ifndef NESTLING_ARCH_AARCH64_E2H_H
#define NESTLING_ARCH_AARCH64_E2H_H

#include <stdbool.h>

#include "include/arch/aarch64/insn.h"
#include "include/err.h"

/* Does the hypervisor run with it? Chosen while the firmware is still there (vmm/aarch64/e2h.c), constant afterwards. */
extern __attribute__((visibility("hidden"))) bool host_e2h;

/* Make that choice: where it must, or is wanted to. False: it is, but the CPU cannot. */
MUST_CHECK bool e2h_choose(bool wanted);

/* Write HCR_EL2 and return what it reads as then; the old value is restored (vmm/aarch64/hcr.S). */
uint64_t try_hcr(uint64_t value);

/* HCR_EL2 of the hypervisor's own: lower levels are AArch64, and nothing more. */
static inline uint64_t host_hcr(void)
{
	return HCR_RW | (host_e2h ? HCR_E2H : 0);
}

/* A register of EL1 or EL0, by that level's name for it, of those below: the guest's, in either mode. */
#define read_guest_sysreg(name) (host_e2h ? read_sysreg(name##2) : read_sysreg(name))
#define write_guest_sysreg(name, value)               \
	do {                                          \
		if (host_e2h)                         \
			write_sysreg(name##2, value); \
		else                                  \
			write_sysreg(name, value);    \
	} while (0)

/* Their other names, by the encodings that the manual gives for them: the assembler's base architecture lacks them. */
#define sctlr_el12      S3_5_C1_C0_0
#define cpacr_el12      S3_5_C1_C0_2
#define ttbr0_el12      S3_5_C2_C0_0
#define ttbr1_el12      S3_5_C2_C0_1
#define tcr_el12        S3_5_C2_C0_2
#define spsr_el12       S3_5_C4_C0_0
#define elr_el12        S3_5_C4_C0_1
#define afsr0_el12      S3_5_C5_C1_0
#define afsr1_el12      S3_5_C5_C1_1
#define esr_el12        S3_5_C5_C2_0
#define far_el12        S3_5_C6_C0_0
#define mair_el12       S3_5_C10_C2_0
#define amair_el12      S3_5_C10_C3_0
#define MPAM1_EL12      S3_5_C10_C5_0
#define vbar_el12       S3_5_C12_C0_0
#define contextidr_el12 S3_5_C13_C0_1
#define cntkctl_el12    S3_5_C14_C1_0
#define cntp_ctl_el02   S3_5_C14_C2_1
#define cntp_cval_el02  S3_5_C14_C2_2
#define cntv_ctl_el02   S3_5_C14_C3_1
#define cntv_cval_el02  S3_5_C14_C3_2

#endif
