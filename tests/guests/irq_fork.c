/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is pending when a VM forks is there in both, once: a timer that is due and one that is not, a word from another vCPU, a
 * device's interrupt that nobody has taken, and one whose end the interrupt controller has not been told of.
 */
#include "guest/rt/clock.h"
#include "guest/rt/irq.h"
#include "tests/guests/check.h"

#define LATER 200000 /* ticks */

static uint64_t child;
static bool fork_in_handler;

static void taken(enum rt_irq irq)
{
	if (irq == RT_IRQ_UART && fork_in_handler) {
		fork_in_handler = false;
		child = rt_fork();
	}
}

/* What was taken since `before` was counted. */
static void expect(const uint64_t *before, uint64_t timer, uint64_t ipi, uint64_t uart)
{
	CHECK(rt_irq_count(RT_IRQ_TIMER) - before[RT_IRQ_TIMER] == timer);
	CHECK(rt_irq_count(RT_IRQ_IPI) - before[RT_IRQ_IPI] == ipi);
	CHECK(rt_irq_count(RT_IRQ_UART) - before[RT_IRQ_UART] == uart);
}

static void count(uint64_t *counts)
{
	for (enum rt_irq irq = 0; irq < RT_IRQS; irq++)
		counts[irq] = rt_irq_count(irq);
}

/* The child has come to its end well. */
static void end_round(const char *what)
{
	CHECK(!rt_is_error(child));
	if (child == 0) {
		if (check_status(what) == 0)
			rt_printf("irq_fork: the child has had %s\n", what);
		rt_exit((uint64_t)check_failures);
	}
	rt_vm_wait(child);
}

static void all_pending(void)
{
	uint64_t before[RT_IRQS];

	count(before);
	rt_irq_timer(0);
	rt_irq_send(0);
	rt_irq_uart();
	child = rt_fork();
	expect(before, 0, 0, 0);
	rt_irq_take();
	expect(before, 1, 1, 1);
	for (unsigned i = 0; i < 3; i++) {
		rt_yield();
		rt_irq_take();
	}
	expect(before, 1, 1, 1);
	end_round("what was pending");
}

static void timer_later(void)
{
	uint64_t before[RT_IRQS], start = rt_arch_ticks();

	count(before);
	rt_irq_timer(LATER);
	child = rt_fork();
	rt_irq_wait();
	CHECK(rt_arch_ticks() - start >= LATER);
	expect(before, 1, 0, 0);
	end_round("the timer");
}

/* Between the claim and the end of an interrupt: in both it ends, and the next one comes. */
static void in_the_middle(void)
{
	uint64_t before[RT_IRQS];

	count(before);
	fork_in_handler = true;
	rt_irq_uart();
	rt_irq_take();
	expect(before, 0, 0, 1);
	rt_irq_uart();
	rt_irq_wait();
	expect(before, 0, 0, 2);
	end_round("the end of an interrupt");
}

int guest_main(void)
{
	rt_irq_init(taken);
	all_pending();
	timer_later();
	in_the_middle();
	return check_status("irq_fork");
}
