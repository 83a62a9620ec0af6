/* SPDX-License-Identifier: BSD-2-Clause */
/* Forks, in the parent and in every child, until that is refused; or until there were so many that it may go on for ever so. */
#include "tests/guests/check.h"

#define ENOUGH 100

int guest_main(void)
{
	uint64_t result, forks = 0;

	do {
		result = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
		forks++;
	} while ((int64_t)result >= 0 && result < ENOUGH);
	rt_printf("fork_bomb: %s at number %lu\n", (int64_t)result < 0 ? "refused" : "enough", forks);
	CHECK(result == RT_NO_MEMORY || result >= ENOUGH);
	return check_status("fork_bomb");
}
