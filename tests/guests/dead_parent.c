/* SPDX-License-Identifier: BSD-2-Clause */
/* A parent uses most of the machine's memory and ends; its child waits for that, and uses as much. */
#include "guest/rt/work.h"
#include "tests/guests/check.h"

static void use(const char *who, uint64_t bytes)
{
	uint64_t pages = bytes / RT_PAGE_SIZE;

	CHECK(pages <= rt_fresh_pages());
	rt_printf("dead_parent: %s finds %lu KiB free\n", who, rt_memory_info(RT_MEMORY_HOST_FREE) >> 10);
	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint64_t *)rt_fresh_page(i) = i + 1;
	CHECK(rt_memory_info(RT_MEMORY_RESIDENT) >= bytes);
}

int guest_main(void)
{
	uint64_t bytes = rt_memory_info(RT_MEMORY_HOST_FREE) / 8 * 5, child;

	child = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
	CHECK((int64_t)child >= 0);
	if (child == 0)
		CHECK(rt_vm_wait(0) == 0);
	use(child ? "the parent" : "the child", bytes);
	return child ? check_failures : check_status("dead_parent");
}
