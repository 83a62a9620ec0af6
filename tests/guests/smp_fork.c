/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forks a VM whose vCPUs are all at work: they go on in both VMs from where they were. At the end two vCPUs fork at once.
 */
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"

#define CHILDREN 4
#define PAGES    8 /* of each worker */
#define BOTH     4 /* forks by either of two vCPUs */

static struct rt_range room;
static unsigned cpus;
static uint64_t progress[RT_CPUS], over, finished, wrong, is_child;

/* Fill pages with ever another salt, which only this vCPU knows. */
static void worker(void *unused)
{
	uint64_t id = rt_cpu_id(), base = room.start + id * PAGES * RT_PAGE_SIZE;

	(void)unused;
	for (uint64_t salt = id << 32; rt_atomic_load(&over) == 0; salt++) {
		for (uint64_t i = 0; i < PAGES; i++)
			rt_page_fill(base + i * RT_PAGE_SIZE, salt);
		for (uint64_t i = 0; i < PAGES; i++)
			if (!rt_page_holds(base + i * RT_PAGE_SIZE, salt))
				rt_atomic_add(&wrong, 1);
		rt_atomic_add(&progress[id], 1);
	}
	rt_atomic_add(&finished, 1);
}

static void all_go_on(void)
{
	unsigned tries = 0;

	for (unsigned id = 1; id < cpus; id++)
		for (uint64_t before = rt_atomic_load(&progress[id]); rt_atomic_load(&progress[id]) < before + 2;)
			rt_relax(&tries);
}

static void finish(void)
{
	unsigned tries = 0;

	rt_atomic_store(&over, 1);
	while (rt_atomic_load(&finished) < cpus - 1)
		rt_relax(&tries);
	CHECK(wrong == 0);
}

/* Two vCPUs, each in a row of forks; in a child both stop, after one more if that is under way already. */
static void fork_in_a_row(void *unused)
{
	(void)unused;
	if (rt_cpu_id() > 1)
		return;
	for (unsigned i = 0; i < BOTH && rt_atomic_load(&is_child) == 0; i++) {
		uint64_t result = rt_fork();

		CHECK(!rt_is_error(result));
		if (result == 0)
			rt_atomic_store(&is_child, 1);
	}
}

int guest_main(void)
{
	cpus = rt_cpu_count();
	room = rt_take(RT_BLOCK_SIZE);
	for (unsigned id = 1; id < cpus; id++)
		CHECK(rt_cpu_start(id, worker, NULL) == 0);
	for (unsigned i = 0; i < CHILDREN; i++) {
		uint64_t result;

		all_go_on();
		result = rt_fork();
		CHECK(!rt_is_error(result));
		all_go_on();
		if (result != 0)
			continue;
		finish();
		rt_printf("smp_fork: child %u: all vCPUs went on\n", i + 1);
		return check_failures != 0;
	}
	finish();
	rt_cpu_all(fork_in_a_row, NULL);
	if (is_child)
		return check_failures != 0;
	return check_status("smp_fork");
}
