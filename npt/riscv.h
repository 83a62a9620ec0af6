/* SPDX-License-Identifier: BSD-2-Clause */
/* What RISC-V's take-over needs of the hypervisor's own format besides the operations of npt/npt.h. */
#ifndef NESTLING_NPT_RISCV_H
#define NESTLING_NPT_RISCV_H

#include "include/types.h"

/*
 * Fill in a root (512 entries, 4 KiB aligned) of `levels` levels, 3 to 5, that maps the lower half of virtual memory one
 * to one by its own leaves, all permissions: to try a mode with, before frames for tables can be had.
 */
void npt_riscv_identity_root(uint64_t *root, unsigned levels);

#endif
