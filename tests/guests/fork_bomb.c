/* SPDX-License-Identifier: BSD-2-Clause */
/* Forks, in the parent and in every child, until that is refused. */
#include "tests/guests/check.h"

int guest_main(void)
{
	uint64_t result, forks = 0;

	do {
		result = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
		forks++;
	} while ((int64_t)result >= 0 && forks < 100000);
	rt_printf("fork_bomb: refused at number %lu\n", forks);
	CHECK(result == RT_NO_MEMORY);
	return check_status("fork_bomb");
}
