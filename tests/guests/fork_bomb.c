/* SPDX-License-Identifier: BSD-2-Clause */
/* Forks, in the parent and in every child, until that is refused, or until a VM and its forebears have done so often enough. */
#include "tests/guests/check.h"

#define FORKS 7 /* 128 VMs, if none is refused */

int guest_main(void)
{
	uint64_t result, forks = 0;

	do {
		result = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
		forks++;
	} while ((int64_t)result >= 0 && forks < FORKS);
	rt_printf("fork_bomb: %s at number %lu\n", (int64_t)result < 0 ? "refused" : "enough", forks);
	CHECK((int64_t)result >= 0 || result == RT_NO_MEMORY);
	return check_status("fork_bomb");
}
