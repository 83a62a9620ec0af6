/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls what is not there. */
#include "tests/guests/check.h"

int guest_main(void)
{
	static const uint64_t numbers[] = {
		14,         15,          99,          0x7fffffff,         0x80000000,         0x84000000,
		0xffffffff, 0x100000000, 0x100000001, 0x7fffffffffffffff, 0x8000000000000000, ~0ul
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		CHECK(rt_hypercall(numbers[i], 42, ~0ul, ~0ul, ~0ul) == RT_NOT_SUPPORTED);
	for (unsigned i = 0; i < 10000; i++)
		rt_hypercall(1000 + i, 0, 0, 0, 0);

	CHECK(rt_hypercall(RT_CALL_VERSION, ~0ul, ~0ul, ~0ul, ~0ul) == 3);
	CHECK(rt_hypercall(RT_CALL_MEMORY_INFO, RT_MEMORY_FORK_NUMBER + 1, 0, 0, 0) == RT_INVALID);
	CHECK(rt_hypercall(RT_CALL_MEMORY_INFO, 0x100000000, 0, 0, 0) == RT_INVALID);
	CHECK(rt_hypercall(RT_CALL_MEMORY_INFO, ~0ul, 0, 0, 0) == RT_INVALID);
	return check_status("unknown_hypercall");
}
