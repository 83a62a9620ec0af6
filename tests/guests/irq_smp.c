/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPUs interrupt each other: each word is taken once, whether its vCPU waits or runs, and each timer is its own vCPU's.
 */
#include "guest/rt/clock.h"
#include "guest/rt/irq.h"
#include "guest/rt/smp.h"
#include "tests/guests/check.h"

enum { LAPS = 100, TIMERS = 50, WORDS = 200 };

static unsigned cpus;
static struct rt_barrier barrier;
static uint64_t taken_words[RT_CPUS];

static void taken(enum rt_irq irq)
{
	if (irq == RT_IRQ_IPI)
		rt_atomic_add(&taken_words[rt_cpu_id()], 1);
}

/* A word goes round and round; who does not have it waits. */
static void ring(unsigned id)
{
	uint64_t before = rt_irq_count(RT_IRQ_IPI);

	rt_barrier(&barrier, cpus);
	if (id == 0)
		rt_irq_send(1 % cpus);
	for (unsigned lap = 0; lap < LAPS; lap++) {
		rt_irq_wait();
		if (id != 0 || lap < LAPS - 1)
			rt_irq_send((id + 1) % cpus);
	}
	rt_barrier(&barrier, cpus);
	CHECK(rt_irq_count(RT_IRQ_IPI) - before == LAPS);
}

/* All at once, at times of their own. */
static void timers(unsigned id)
{
	uint64_t before = rt_irq_count(RT_IRQ_TIMER);

	for (unsigned i = 0; i < TIMERS; i++) {
		uint64_t start = rt_arch_ticks(), ticks = 1000 * (1 + (id + i) % 7);

		rt_irq_timer(ticks);
		if (i % 2 == 0)
			rt_irq_wait();
		while (rt_irq_count(RT_IRQ_TIMER) - before == i)
			rt_irq_take();
		CHECK(rt_arch_ticks() - start >= ticks);
		CHECK(rt_irq_count(RT_IRQ_TIMER) - before == i + 1);
	}
	rt_barrier(&barrier, cpus);
	rt_irq_take();
	CHECK(rt_irq_count(RT_IRQ_TIMER) - before == TIMERS);
}

/* To the first one, which runs on and on, from each of the others in turn: the next word only when the last one was taken. */
static void words(unsigned id)
{
	static uint64_t turn;
	uint64_t before = rt_atomic_load(&taken_words[0]);
	unsigned tries = 0;

	rt_barrier(&barrier, cpus);
	if (id == 0) {
		while (rt_atomic_load(&taken_words[0]) - before < WORDS) {
			rt_irq_take();
			rt_relax(&tries);
		}
	} else {
		for (uint64_t n = 0; n < WORDS; n = rt_atomic_load(&turn)) {
			if (n % (cpus - 1) == id - 1) {
				rt_irq_send(0);
				while (rt_atomic_load(&taken_words[0]) - before <= n)
					rt_relax(&tries);
				rt_atomic_store(&turn, n + 1);
			}
			rt_relax(&tries);
		}
	}
	rt_barrier(&barrier, cpus);
	if (id == 0)
		rt_irq_take();
	CHECK(rt_atomic_load(&taken_words[0]) - before == WORDS);
}

static void work(void *unused)
{
	unsigned id = rt_cpu_id();

	(void)unused;
	rt_irq_init(taken);
	rt_barrier(&barrier, cpus);
	ring(id);
	timers(id);
	if (cpus > 1)
		words(id);
}

int guest_main(void)
{
	cpus = rt_cpu_count();
	rt_cpu_all(work, NULL);
	rt_printf("irq_smp: %u vCPUs\n", cpus);
	return check_status("irq_smp");
}
