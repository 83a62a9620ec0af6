/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes an undefined instruction, with no handler for it. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	rt_printf("illegal_insn: here it comes\n");
	__asm__ volatile("ud2");
	rt_printf("illegal_insn: FAILED: it did not come\n");
	return 1;
}
