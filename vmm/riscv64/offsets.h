/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in struct vcpu for the world switch in assembly; virt.c checks them against the structure. */
#ifndef NESTLING_VMM_RISCV64_OFFSETS_H
#define NESTLING_VMM_RISCV64_OFFSETS_H

#define LEFT_INTERRUPTED 254 /* EXIT_INTERRUPTED */

#define VCPU_GPR(n)  (8 * (n))
#define VCPU_PC      256
#define VCPU_HOST_SP 264

#endif
