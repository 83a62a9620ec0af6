/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI's numbers; its call, of which no code is made here, has variables in registers that this host lacks. */
#define __asm__(name)
#include_next "include/arch/riscv64/sbi.h"
#undef __asm__
