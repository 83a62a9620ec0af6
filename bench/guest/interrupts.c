/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What interrupts and devices cost: see measure.h. Two vCPUs, each on a CPU of its own, the second of which is off until it is
 * needed. Of what ends at another vCPU the profiler counts both sides.
 */
#include "bench/guest/measure.h"
#include "guest/rt/clock.h"
#include "guest/rt/irq.h"
#include "guest/rt/smp.h"

/* Longer than it takes to go to sleep, though an instruction may be 64 ns: bench/target.py. */
#define SOON_MICROSECONDS 300

static uint64_t soon; /* the same in ticks */

enum {
	PHASE_UART = PHASE_FIRST,
	PHASE_CONTROLLER,
	PHASE_DEVICE,
	PHASE_TIMER,
	PHASE_TIMER_RUNNING,
	PHASE_WAIT,
	PHASE_IPI,
	PHASE_IPI_WAIT,
};

enum { FEW = 256 }; /* where each is long */

static uint64_t told; /* interrupts that the other vCPU has taken, and the word that it is there */
static bool asleep;

static uint64_t ticks_of(uint64_t microseconds)
{
	uint64_t start = rt_clock_us(), ticks = rt_arch_ticks();

	while (rt_clock_us() - start < microseconds)
		;
	return rt_arch_ticks() - ticks;
}

static void taken(enum rt_irq irq)
{
	if (irq == RT_IRQ_IPI)
		rt_atomic_add(&told, 1);
}

static void uart(uint64_t i)
{
	(void)i;
	read_uart();
}

static void controller(uint64_t i)
{
	(void)i;
	read_controller();
}

/* Two writes to the UART, and a read; and what the controller wants. */
static void device(uint64_t i)
{
	(void)i;
	rt_irq_uart();
	rt_irq_take();
}

/* It is due at once, and comes while the vCPU runs. */
static void timer(uint64_t i)
{
	uint64_t before = rt_irq_count(RT_IRQ_TIMER);

	(void)i;
	rt_irq_timer(0);
	while (rt_irq_count(RT_IRQ_TIMER) == before)
		rt_irq_take();
}

/* The same, and it comes while the vCPU is busy with interrupts on. */
static void timer_running(uint64_t i)
{
	uint64_t before = rt_irq_count(RT_IRQ_TIMER);

	(void)i;
	interrupts_on();
	rt_irq_timer(soon);
	while (rt_irq_count(RT_IRQ_TIMER) == before)
		;
	interrupts_off();
}

static void wait_for_timer(uint64_t i)
{
	(void)i;
	rt_irq_timer(soon);
	rt_irq_wait();
}

static void send(uint64_t i)
{
	uint64_t before = rt_atomic_load(&told);

	(void)i;
	rt_irq_send(1);
	while (rt_atomic_load(&told) == before)
		relax();
}

/* The other one has gone to sleep meanwhile. */
static void send_later(uint64_t i)
{
	uint64_t start = rt_arch_ticks();

	while (rt_arch_ticks() - start < soon)
		relax();
	send(i);
}

/* Until the VM ends: it does not count them, since QEMU's emulation of SVM may deliver one twice (docs/x86_64.md). */
static void other(void *unused)
{
	(void)unused;
	rt_irq_init(taken);
	rt_atomic_add(&told, 1);
	for (;;) {
		if (__atomic_load_n(&asleep, __ATOMIC_RELAXED))
			rt_irq_wait();
		else
			rt_irq_take();
		relax();
	}
}

static void measured(const char *name, unsigned phase, uint64_t count, bench_event event)
{
	struct result result, loop = measure(0, count, nothing);

	result = measure(0, count, event);
	print_event(name, phase, PROFILED, (unsigned)count, &result, loop.total, 0);
}

/* All that the other vCPU takes part in. */
static void to_another(void)
{
	rt_atomic_store(&told, 0);
	rt_cpu_start(1, other, NULL);
	while (rt_atomic_load(&told) == 0)
		relax();
	measured("ipi", PHASE_IPI, FEW, send);
	PROFILE(PHASE_IPI, 0, send);
	__atomic_store_n(&asleep, true, __ATOMIC_RELAXED);
	measured("ipi-halted", PHASE_IPI_WAIT, FEW, send_later);
	PROFILE(PHASE_IPI_WAIT, 0, send_later);
}

int guest_main(void)
{
	soon = ticks_of(SOON_MICROSECONDS);
	rt_irq_init(taken);
	measure(0, EVENTS, nothing);
	measured("uart-read", PHASE_UART, EVENTS, uart);
	PROFILE(PHASE_UART, 0, uart);
	measured("controller-read", PHASE_CONTROLLER, EVENTS, controller);
	PROFILE(PHASE_CONTROLLER, 0, controller);
	measured("device-interrupt", PHASE_DEVICE, EVENTS, device);
	PROFILE(PHASE_DEVICE, 0, device);
	measured("timer", PHASE_TIMER, EVENTS, timer);
	PROFILE(PHASE_TIMER, 0, timer);
	measured("timer-running", PHASE_TIMER_RUNNING, FEW, timer_running);
	PROFILE(PHASE_TIMER_RUNNING, 0, timer_running);
	measured("halt-timer", PHASE_WAIT, FEW, wait_for_timer);
	PROFILE(PHASE_WAIT, 0, wait_for_timer);
	if (rt_cpu_count() > 1)
		to_another();
	return 0;
}
