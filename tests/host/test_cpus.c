/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs that come, do not come, come too late, or cannot be used: threads stand in for them. */
#include "boot/cpus.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "include/arch/virt.h"
#include "tests/host/host.h"
#include "vmm/sched.h"

enum behaviour { COMES, STAYS_AWAY, CANNOT_BE_STARTED, HAS_NO_VIRTUALIZATION, HAS_NO_INTERRUPTS };

static enum behaviour behaviour[CPU_MAX];
static unsigned there; /* CPUs that the firmware names */
static unsigned last_started;
static enum err prepare_result;
static pthread_t threads[CPU_MAX];
static bool has_thread[CPU_MAX];
static unsigned scheduling; /* atomic: CPUs that have come to the scheduler */
static uint64_t now;        /* atomic: time passes by waiting */
static __thread unsigned self;

unsigned arch_cpus_find(uint64_t *ids, unsigned room)
{
	for (unsigned i = 0; i < there && i < room; i++)
		ids[i] = 100 + i;
	return there;
}

enum err arch_cpus_prepare(void)
{
	return prepare_result;
}

void arch_cpu_name(const struct cpu *cpu, char *text, size_t size)
{
	snprintf(text, size, "id %lu", cpu->hw_id);
}

void arch_this_cpu_set(struct cpu *cpu)
{
	self = cpu->id;
}

enum err arch_virt_enable(const char **why)
{
	*why = "no virtualization here";
	return behaviour[self] == HAS_NO_VIRTUALIZATION ? ERR_UNSUPPORTED : ERR_OK;
}

enum err arch_interrupts_start(const char **why)
{
	*why = "no interrupts here";
	return behaviour[self] == HAS_NO_INTERRUPTS ? ERR_UNSUPPORTED : ERR_OK;
}

void arch_halt(void)
{
	pthread_exit(NULL);
}

void sched_run(void)
{
	__atomic_fetch_add(&scheduling, 1, __ATOMIC_SEQ_CST);
}

static void *run(void *cpu)
{
	cpu_main(cpu);
}

static void begin(struct cpu *cpu)
{
	assert_int_equal(pthread_create(&threads[cpu->id], NULL, run, cpu), 0);
	has_thread[cpu->id] = true;
}

enum err arch_cpu_start(struct cpu *cpu, void *stack_top)
{
	(void)stack_top;
	last_started = cpu->id;
	if (behaviour[cpu->id] == CANNOT_BE_STARTED)
		return ERR_DENIED;
	if (behaviour[cpu->id] != STAYS_AWAY)
		begin(cpu);
	return ERR_OK;
}

uint64_t arch_clock(void)
{
	return __atomic_load_n(&now, __ATOMIC_SEQ_CST);
}

uint64_t arch_clock_frequency(void)
{
	return 1000;
}

void arch_timer_set(uint64_t deadline)
{
	(void)deadline;
}

/* Time passes only while one that stays away is waited for, which is the last one started: a thread may need long. */
void arch_cpu_wait(void)
{
	if (behaviour[last_started] == STAYS_AWAY)
		__atomic_fetch_add(&now, 1, __ATOMIC_SEQ_CST);
	sched_yield();
}

unsigned arch_interrupts_take(void)
{
	return 0;
}

void arch_ipi_send(const struct cpu *to)
{
	assert_int_equal(to->id, 0);
}

void arch_cpus_stop(void)
{
}

/* No map is made here. */
enum err host_map_remove(struct host_map *map, hpa_t start, hpa_t end)
{
	(void)map, (void)start, (void)end;
	return ERR_OK;
}

enum err arch_cpus_map(struct host_map *map)
{
	(void)map;
	return ERR_OK;
}

void arch_traps_set_stack(struct cpu *cpu, unsigned index, void *stack_top)
{
	(void)cpu, (void)index, (void)stack_top;
}

static void join(void)
{
	for (unsigned i = 0; i < CPU_MAX; i++)
		if (has_thread[i])
			assert_int_equal(pthread_join(threads[i], NULL), 0);
	memset(has_thread, 0, sizeof(has_thread));
}

static unsigned find(unsigned count, unsigned most, enum err prepare)
{
	there = count;
	prepare_result = prepare;
	cpus_find(most);
	for (unsigned i = 0; i < cpu_count; i++) {
		CHECK_EQ(cpus[i].id, i);
		CHECK_EQ(cpus[i].hw_id, 100 + i);
	}
	return cpu_count;
}

static void as_many_are_used_as_there_is_room_for(void **state)
{
	(void)state;
	CHECK_EQ(find(1, 0, ERR_NO_MEMORY), 1); /* which alone needs no preparation */
	CHECK_EQ(find(4, 0, ERR_OK), 4);
	CHECK_EQ(find(4, 2, ERR_OK), 2);
	CHECK_EQ(find(4, 9, ERR_OK), 4);
	CHECK_EQ(find(80, 0, ERR_OK), CPU_MAX);
	CHECK_EQ(find(4, 0, ERR_NO_MEMORY), 1);
}

/* A CPU starts once in its life, so all of this is one test. */
static void who_cannot_be_used_is_left_out(void **state)
{
	static const enum behaviour all[] = {
		COMES, COMES, STAYS_AWAY, CANNOT_BE_STARTED, HAS_NO_VIRTUALIZATION, STAYS_AWAY, COMES, HAS_NO_INTERRUPTS, COMES
	};

	(void)state;
	memcpy(behaviour, all, sizeof(all));
	CHECK_EQ(find(ARRAY_LEN(all), 0, ERR_OK), ARRAY_LEN(all));
	cpus_start();
	assert_true(cpus_are_several());
	join();
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		CHECK(cpus[i].online == (all[i] == COMES), "CPU %u", i);
	CHECK_EQ(scheduling, 3); /* the first one is not done here */

	/* Two that have been given up come after all: the others do without them. */
	begin(cpu_of(2));
	begin(cpu_of(5));
	join();
	assert_false(cpus[2].online);
	assert_false(cpus[5].online);
	CHECK_EQ(scheduling, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_are_used_as_there_is_room_for),
		cmocka_unit_test(who_cannot_be_used_is_left_out),
	};

	return cmocka_run_group_tests_name("cpus", tests, NULL, NULL);
}
