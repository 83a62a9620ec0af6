/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs beside the first one: their stacks, their lines, and how they meet. */
#include "guest/rt/smp.h"

char rt_stacks[RT_CPUS - 1][RT_CPU_STACK] __attribute__((aligned(16)));
static struct rt_cpu cpus[RT_CPUS];
static struct rt_line lines[RT_CPUS];

/* --- Start and end ------------------------------------------------------------------------------------------------ */

unsigned rt_cpu_count(void)
{
	uint64_t count = rt_memory_info(RT_MEMORY_VCPUS);

	return count < RT_CPUS ? (unsigned)count : RT_CPUS;
}

static struct rt_line *own_line(void)
{
	return &lines[rt_cpu_id()];
}

/* So far this was the only vCPU. What it has not written yet stays its own. */
static void begin_several(void)
{
	if (rt_line_own)
		return;
	rt_arch_several(&cpus[0]);
	rt_several = true;
	lines[0] = rt_first_line;
	rt_line_own = own_line;
}

uint64_t rt_cpu_start(unsigned id, void (*function)(void *argument), void *argument)
{
	struct rt_cpu *cpu = &cpus[id];

	uint64_t result;

	if (id == 0 || id >= RT_CPUS)
		return id == 0 ? RT_DENIED : RT_INVALID;
	begin_several();
	if (__atomic_exchange_n(&cpu->on, 1, __ATOMIC_SEQ_CST))
		return RT_DENIED;
	cpu->stack = rt_stacks[id - 1] + RT_CPU_STACK;
	cpu->function = function;
	cpu->argument = argument;
	cpu->id = id;
	/* One that has come to its end may still be on its way out. */
	for (unsigned tries = 0; (result = rt_arch_cpu_start(cpu)) == RT_DENIED;)
		rt_relax(&tries);
	if (result != 0)
		__atomic_store_n(&cpu->on, 0, __ATOMIC_SEQ_CST);
	return result;
}

void rt_cpu_main(struct rt_cpu *cpu)
{
	cpu->function(cpu->argument);
	rt_cpu_off();
}

void rt_cpu_off(void)
{
	rt_flush_line();
	__atomic_store_n(&cpus[rt_cpu_id()].on, 0, __ATOMIC_SEQ_CST);
	rt_arch_cpu_off();
	for (;;)
		rt_wait();
}

/* --- Together ----------------------------------------------------------------------------------------------------- */

static struct {
	void (*function)(void *argument);
	void *argument;
	uint64_t done;
} together;

static void one_of_all(void *unused)
{
	(void)unused;
	together.function(together.argument);
	rt_atomic_add(&together.done, 1);
}

void rt_cpu_all(void (*function)(void *argument), void *argument)
{
	unsigned count = rt_cpu_count(), tries = 0;

	together.function = function;
	together.argument = argument;
	rt_atomic_store(&together.done, 0);
	for (unsigned id = 1; id < count; id++) {
		uint64_t result;

		/* One that was here the last time is still on its way out. */
		while ((result = rt_cpu_start(id, one_of_all, NULL)) == RT_DENIED)
			rt_relax(&tries);
		if (result != 0) {
			rt_printf("FAILED: vCPU %u of %u cannot be started: %ld\n", id, count, (long)result);
			rt_exit(1);
		}
	}
	function(argument);
	while (rt_atomic_load(&together.done) + 1 < count)
		rt_relax(&tries);
}

void rt_barrier(struct rt_barrier *barrier, unsigned count)
{
	unsigned round = __atomic_load_n(&barrier->round, __ATOMIC_SEQ_CST), tries = 0;

	if (__atomic_add_fetch(&barrier->waiting, 1, __ATOMIC_SEQ_CST) == count) {
		__atomic_store_n(&barrier->waiting, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&barrier->round, round + 1, __ATOMIC_SEQ_CST);
		return;
	}
	while (__atomic_load_n(&barrier->round, __ATOMIC_SEQ_CST) == round)
		rt_relax(&tries);
}
