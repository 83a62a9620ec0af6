/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of the guest by HVC. Source: SMC Calling Convention (Arm DEN0028), "Function Identifier Ranges".
 *
 * Nestling's own calls are in the range of vendor-specific hypervisor services, owner 6: 0xc6000000 plus the number of
 * vmm/hypercall.h, with 64-bit arguments in x1 to x4, or 0x86000000 plus it, with 32-bit ones.
 */
#ifndef NESTLING_VMM_AARCH64_SMCCC_H
#define NESTLING_VMM_AARCH64_SMCCC_H

#include "vmm/aarch64/aarch64.h"

#define SMCCC_64         UINT32_C(0x40000000) /* the same function with 64-bit arguments */
#define SMCCC_NUMBER     UINT32_C(0x0000ffff)
#define SMCCC_VENDOR_HYP UINT32_C(0x86000000)
#define SMCCC_QUERIES    UINT32_C(0x0000ff00) /* numbers from here on ask about the owner */

/* What we answer, and ask firmware ourselves. */
#define SMCCC_VERSION       UINT32_C(0x80000000)
#define SMCCC_ARCH_FEATURES UINT32_C(0x80000001)
#define SMCCC_VERSION_1_1   0x10001
#define PSCI_VERSION        UINT32_C(0x84000000)
#define PSCI_FEATURES       UINT32_C(0x8400000a)
#define PSCI_VERSION_1_0    0x10000

static inline uint32_t smccc_function(const struct vcpu_arch *arch)
{
	return (uint32_t)arch->x[0];
}

static inline uint64_t smccc_argument(const struct vcpu_arch *arch, unsigned number)
{
	return smccc_function(arch) & SMCCC_64 ? arch->x[number] : (uint32_t)arch->x[number];
}

/* Is the call one of Nestling's own? Then `call` says which. */
static inline bool smccc_decode(const struct vcpu_arch *arch, struct hypercall *call)
{
	uint32_t function = smccc_function(arch);

	if ((function & ~(SMCCC_64 | SMCCC_NUMBER)) != SMCCC_VENDOR_HYP || (function & SMCCC_NUMBER) >= SMCCC_QUERIES ||
	    ESR_IMM16(arch->esr) != 0)
		return false;
	call->number = function & SMCCC_NUMBER;
	for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
		call->arg[i] = arch->x[i + 1];
	if (!(function & SMCCC_64))
		for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
			call->arg[i] = (uint32_t)call->arg[i];
	return true;
}

/* Serve any other HVC: SMCCC's own functions, PSCI, or NOT_SUPPORTED. */
void smccc_call(struct vcpu *vcpu);

/* Refuse an SMC: there is nothing below EL1 but us. */
void smccc_refuse(struct vcpu_arch *arch);

#endif
