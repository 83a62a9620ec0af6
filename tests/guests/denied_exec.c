/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs code in a page that it has made not executable itself, and has not asked to be told of that. */
#include "guest/rt/fault.h"
#include "tests/guests/check.h"

int guest_main(void)
{
	volatile uint64_t *page = fresh_page();
	void (*function)(void) = (void (*)(void))(uintptr_t)page;

	rt_write_function(page);
	function();
	rt_printf("denied_exec: at 0x%lx\n", (uint64_t)(uintptr_t)page);
	CHECK(rt_hypercall(RT_CALL_PROTECT, (uintptr_t)page, RT_PAGE_SIZE, RT_READ | RT_WRITE, 0) == 0);
	function();
	rt_printf("denied_exec: FAILED: nothing happened\n");
	return 1;
}
