/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes an undefined instruction, with no handler for it. */
#include "isa.h"

int guest_main(void)
{
	rt_printf("illegal_insn: here it comes\n");
	__asm__ volatile(UNDEFINED_INSN);
	rt_printf("illegal_insn: FAILED: it did not come\n");
	return 1;
}
