/* SPDX-License-Identifier: BSD-2-Clause */
/* Has its handler where the first instruction is an illegal one: exceptions without end, and not one exit. */
#include "tests/guests/check.h"
#include "tests/guests/riscv64/csr.h"

int guest_main(void)
{
	uint64_t handler = (uint64_t)fresh_page();

	rt_printf("exception_loop: here it comes\n");
	CSR_WRITE("stvec", handler);
	__asm__ volatile("unimp");
	rt_printf("exception_loop: FAILED: it did not come\n");
	return 1;
}
