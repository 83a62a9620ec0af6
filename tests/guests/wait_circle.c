/* SPDX-License-Identifier: BSD-2-Clause */
/* Two forks wait for each other, and the only VM that could still run ends: one of them ends, too, and the other goes on. */
#include "tests/guests/check.h"

#define LONG_ENOUGH 100000 /* microseconds of CPU time, for both to wait */

static uint64_t wait_for(uint64_t number)
{
	uint64_t result;

	do
		result = rt_hypercall(RT_CALL_VM_WAIT, number, 0, 0, 0);
	while (result == RT_INVALID); /* it is not there yet */
	return result;
}

static int child(uint64_t other)
{
	CHECK(wait_for(other) == 0);
	rt_printf("wait_circle: number %lu is gone\n", other);
	return check_status("wait_circle");
}

int guest_main(void)
{
	if (rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0) == 0)
		return child(2);
	if (rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0) == 0)
		return child(1);
	while (rt_hypercall(RT_CALL_MEMORY_INFO, RT_MEMORY_CPU_TIME, 0, 0, 0) < LONG_ENOUGH)
		rt_hypercall(RT_CALL_YIELD, 0, 0, 0, 0);
	return check_status("wait_circle");
}
