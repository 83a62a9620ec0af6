/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes to a page that it has made read-only itself, and has not asked to be told of that. */
#include "tests/guests/check.h"

int guest_main(void)
{
	volatile uint64_t *page = fresh_page();

	*page = 42;
	rt_printf("denied_write: to 0x%lx\n", (uint64_t)(uintptr_t)page);
	CHECK(rt_hypercall(RT_CALL_PROTECT, (uintptr_t)page, RT_PAGE_SIZE, RT_READ, 0) == 0);
	CHECK(*page == 42);
	*page = 43;
	rt_printf("denied_write: FAILED: nothing happened\n");
	return 1;
}
