/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of firmware at EL3. Source: SMC Calling Convention (Arm DEN0028), "Register use in AArch64 SMC and HVC calls". Only where
 * the machine's tables say that there is such firmware (drivers/aarch64/psci.h).
 */
#ifndef NESTLING_ARCH_AARCH64_SMC_H
#define NESTLING_ARCH_AARCH64_SMC_H

#include "include/types.h"

/* Firmware of SMCCC 1.0 may change x4 to x17, too. */
static inline int64_t smc(uint32_t function, uint64_t first, uint64_t second, uint64_t third)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = first;
	register uint64_t x2 __asm__("x2") = second;
	register uint64_t x3 __asm__("x3") = third;

	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	return (int64_t)x0;
}

#endif
