/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts, of three kinds: this vCPU's timer, another vCPU's word, and the UART, which has the place of any device. They are
 * masked but where a program asks for them: so none comes unexpectedly.
 */
#ifndef NESTLING_GUEST_RT_IRQ_H
#define NESTLING_GUEST_RT_IRQ_H

#include "guest/rt/rt.h"

enum rt_irq { RT_IRQ_TIMER, RT_IRQ_IPI, RT_IRQ_UART, RT_IRQS };

/*
 * Have this vCPU get interrupts from now on; exceptions are as after rt_fault_init. `taken` is called for each, by whichever vCPU
 * takes it, after its cause is gone and, of the UART's, before the interrupt controller is told of the end; NULL: nothing is
 * called.
 */
void rt_irq_init(void (*taken)(enum rt_irq irq));

/* Interrupts that this vCPU has taken. */
uint64_t rt_irq_count(enum rt_irq irq);

/* Take what is pending now. */
void rt_irq_take(void);

/* Give the CPU away until there is an interrupt, and take it. */
void rt_irq_wait(void);

/* One of the timer's in so many ticks of rt_arch_ticks (guest/rt/clock.h), instead of the last that was asked for; RT_NEVER: none.
 */
#define RT_NEVER UINT64_MAX
void rt_irq_timer(uint64_t ticks);

/* One at vCPU `id`; this one may be meant. Several that it has not taken yet may be one. */
void rt_irq_send(unsigned id);

/* One of the UART's, at this vCPU. Nothing may be printed by rt_putc between this and the interrupt. */
void rt_irq_uart(void);

#endif
