/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks to be told of forbidden accesses, and has no handler for that. */
#include "tests/guests/check.h"

int guest_main(void)
{
	volatile uint64_t *page = fresh_page();

	CHECK(rt_hypercall(RT_CALL_FAULT_MODE, RT_FAULT_INJECT, 0, 0, 0) == RT_FAULT_END);
	CHECK(rt_hypercall(RT_CALL_PROTECT, (uintptr_t)page, RT_PAGE_SIZE, RT_READ, 0) == 0);
	rt_printf("denied_twice: here it comes\n");
	*page = 43;
	rt_printf("denied_twice: FAILED: nothing happened\n");
	return 1;
}
