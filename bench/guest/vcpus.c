/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What several vCPUs of one VM cost each other; only a profiler sees it (bench/plugin/profile.c, which counts each CPU by itself).
 * With two vCPUs, for one CPU: switches between them. With more, a CPU each: faults at once in one space, and shoot-downs.
 *
 * A line for each kind of event, one JSON object after "bench: ": its name, its phase, and how many events were run in that.
 */
#include "guest/rt/smp.h"
#include "guest/rt/work.h"
#include "isa.h"

enum {
	SWITCHES = 256, /* by each of the two */
	FAULTS = 4096,  /* by each vCPU */
	SHOT = 64,      /* pages of which each is discarded, or protected */
};

/* Numbers of mark(); 0 to 2 are the profiler's own. */
enum {
	PHASE_IDLE = 3,
	PHASE_YIELD,
	PHASE_SWITCH,
	PHASE_SWITCH_FP,
	PHASE_FAULT_ALONE,
	PHASE_FAULT_TOGETHER,
	PHASE_DISCARD_ALONE,
	PHASE_PROTECT_ALONE,
	PHASE_DISCARD_SHOT,
	PHASE_PROTECT_SHOT,
	PHASE_SHOT, /* at those that only run */
};

static struct rt_range room;
static struct rt_barrier barrier;
static unsigned cpus;
static uint64_t running; /* of those that only run */
static uint64_t over;

static void print(const char *name, unsigned phase, uint64_t events)
{
	rt_printf("bench: {\"name\":\"%s\",\"phase\":%u,\"events\":%lu}\n", name, phase, events);
}

/* --- Switches -------------------------------------------------------------------------------------------------------- */

static void do_nothing(void)
{
}

/* Give way until the first vCPU says that it is over: `use` the registers in question between two switches. */
static void give_way_with(void (*use)(void))
{
	while (!rt_atomic_load(&over)) {
		use();
		rt_yield();
	}
}

static void other(void *use)
{
	give_way_with((void (*)(void))use);
}

static void begin_other(void (*use)(void))
{
	rt_atomic_store(&over, 0);
	while (rt_cpu_start(1, other, (void *)use) != 0)
		rt_yield();
	for (unsigned i = 0; i < SWITCHES; i++)
		rt_yield();
}

static void end_other(void)
{
	rt_atomic_store(&over, 1);
	rt_yield();
}

/* Give way where nobody wants the CPU; then each YIELD here is two switches. */
static void switches(void)
{
	mark(PHASE_YIELD);
	for (unsigned i = 0; i < SWITCHES; i++)
		rt_yield();
	mark(PHASE_IDLE);
	begin_other(do_nothing);
	mark(PHASE_SWITCH);
	for (unsigned i = 0; i < SWITCHES; i++)
		rt_yield();
	mark(PHASE_IDLE);
	end_other();
	begin_other(use_fp);
	mark(PHASE_SWITCH_FP);
	for (unsigned i = 0; i < SWITCHES; i++) {
		use_fp();
		rt_yield();
	}
	mark(PHASE_IDLE);
	end_other();
	print("yield", PHASE_YIELD, SWITCHES);
	print("switch", PHASE_SWITCH, 2 * SWITCHES);
	print("switch-fp", PHASE_SWITCH_FP, 2 * SWITCHES);
}

/* --- Faults ---------------------------------------------------------------------------------------------------------- */

/* Stretch number `index` of the room, FAULTS pages of it. */
static void write_stretch(unsigned index)
{
	uint64_t start = room.start + (uint64_t)index * FAULTS * RT_PAGE_SIZE;

	for (uint64_t i = 0; i < FAULTS; i++)
		*(volatile uint64_t *)(start + i * RT_PAGE_SIZE) = i;
}

static void write_together(void *unused)
{
	(void)unused;
	rt_barrier(&barrier, cpus);
	mark(PHASE_FAULT_TOGETHER);
	write_stretch(1 + rt_cpu_id());
	mark(PHASE_IDLE);
}

static void faults(void)
{
	rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_4K);
	mark(PHASE_FAULT_ALONE);
	write_stretch(0);
	mark(PHASE_IDLE);
	rt_cpu_all(write_together, NULL);
	print("fault-alone", PHASE_FAULT_ALONE, FAULTS);
	print("fault-together", PHASE_FAULT_TOGETHER, (uint64_t)cpus * FAULTS);
}

/* --- Shoot-downs ------------------------------------------------------------------------------------------------------ */

/* Of the next SHOT pages of the first stretch; the number of the phase is part of an instruction. */
#define SHOOT(phase, call, first, argument)                                                                        \
	do {                                                                                                       \
		mark(phase);                                                                                       \
		for (uint64_t i_ = 0; i_ < SHOT; i_++)                                                             \
			rt_hypercall(call, room.start + ((first) + i_) * RT_PAGE_SIZE, RT_PAGE_SIZE, argument, 0); \
		mark(PHASE_IDLE);                                                                                  \
	} while (0)

static void be_shot(void)
{
	mark(PHASE_SHOT);
	rt_atomic_add(&running, 1);
	while (!rt_atomic_load(&over))
		;
	mark(PHASE_IDLE);
}

static void shoot(void *unused)
{
	(void)unused;
	if (rt_cpu_id() != 0) {
		be_shot();
		return;
	}
	while (rt_atomic_load(&running) < cpus - 1)
		;
	SHOOT(PHASE_DISCARD_SHOT, RT_CALL_DISCARD, 2 * SHOT, 0);
	SHOOT(PHASE_PROTECT_SHOT, RT_CALL_PROTECT, 3 * SHOT, RT_READ);
	rt_atomic_store(&over, 1);
}

static void shots(void)
{
	SHOOT(PHASE_DISCARD_ALONE, RT_CALL_DISCARD, 0, 0);
	SHOOT(PHASE_PROTECT_ALONE, RT_CALL_PROTECT, SHOT, RT_READ);
	rt_cpu_all(shoot, NULL);
	print("discard-alone", PHASE_DISCARD_ALONE, SHOT);
	print("protect-alone", PHASE_PROTECT_ALONE, SHOT);
	print("discard-shot", PHASE_DISCARD_SHOT, SHOT);
	print("protect-shot", PHASE_PROTECT_SHOT, SHOT);
	print("shot", PHASE_SHOT, (uint64_t)(cpus - 1) * 2 * SHOT);
}

int guest_main(void)
{
	cpus = rt_cpu_count();
	if (cpus == 2) {
		switches();
		return 0;
	}
	room = rt_take(128ul << 20);
	if (room.size / RT_PAGE_SIZE < (uint64_t)(1 + cpus) * FAULTS) {
		rt_printf("FAILED: not enough memory was promised\n");
		return 1;
	}
	faults();
	shots();
	return 0;
}
