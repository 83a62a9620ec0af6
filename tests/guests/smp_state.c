/* SPDX-License-Identifier: BSD-2-Clause */
/* More vCPUs than CPUs, all general registers of each filled with numbers of its own: none finds another one's. */
#include "gprs.h"
#include "guest/rt/clock.h"
#include "guest/rt/smp.h"
#include "tests/guests/check.h"

#define TIME_US 400000
#define SPIN    200000

static uint64_t wrong, rounds[RT_CPUS];

static void spin(void *begin)
{
	uint64_t id = rt_cpu_id();

	while (rt_clock_us() - (uintptr_t)begin < TIME_US) {
		if (gprs_spin((id + 1) << 40 | rounds[id] << 8, SPIN) != 0)
			rt_atomic_add(&wrong, 1);
		if (rt_cpu_id() != id)
			rt_atomic_add(&wrong, 1);
		rounds[id]++;
	}
}

int guest_main(void)
{
	unsigned count = rt_cpu_count();

	rt_cpu_all(spin, (void *)(uintptr_t)rt_clock_us());
	for (unsigned id = 0; id < count; id++)
		CHECK(rounds[id] > 1);
	CHECK(wrong == 0);
	return check_status("smp_state");
}
