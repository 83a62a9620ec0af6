/* SPDX-License-Identifier: BSD-2-Clause */
/* Has its vectors where the first instruction is an undefined one: exceptions without end, and not one exit. */
#include "tests/guests/aarch64/el1.h"
#include "tests/guests/check.h"

int guest_main(void)
{
	uint64_t vectors = (uint64_t)fresh_page();

	rt_printf("exception_loop: here it comes\n");
	MSR("vbar_el1", vectors);
	__asm__ volatile("isb\n\tudf #0");
	rt_printf("exception_loop: FAILED: it did not come\n");
	return 1;
}
