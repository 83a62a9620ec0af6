/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two VMs that fill all registers, each with numbers of its own, and spin: what each finds afterwards is its own, although the CPU
 * went to and fro between them. The one is a fork of the other.
 */
#include "fork_state.h"
#include "gprs.h"
#include "guest/rt/clock.h"

#define TIME_US 400000
#define SPIN    200000 /* rounds; many slices are over in the middle of one */

int guest_main(void)
{
	uint64_t begin, child, rounds = 0, seed;

	state_init();
	begin = rt_clock_us();
	child = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
	CHECK((int64_t)child >= 0);
	while (rt_clock_us() - begin < TIME_US) {
		seed = 2 * (++rounds % 8) + (child == 0);
		state_put(seed);
		CHECK(gprs_spin(seed << 40 | seed, SPIN) == 0);
		state_check(seed);
		if (check_failures > 10)
			break;
	}
	rt_printf("keep_state: %s: %lu rounds\n", child ? "the parent" : "the child", rounds);
	CHECK(rounds > 1);
	return child ? check_status("keep_state") : check_failures != 0;
}
