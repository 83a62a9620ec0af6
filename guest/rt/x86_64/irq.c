/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of an x86_64 guest: the local APIC's timer by TSC deadlines, its interrupt command, and the UART by the IOAPIC.
 * Source: Intel SDM vol. 3 "Advanced Programmable Interrupt Controller".
 */
#include "guest/rt/irq.h"

#include "guest/rt/clock.h"
#include "guest/rt/fault.h"
#include "guest/rt/smp.h"

#define APIC_BASE      0x1b
#define APIC_BASE_EXTD (1ul << 10)
#define X2_EOI         0x80b
#define X2_SVR         0x80f
#define X2_ICR         0x830
#define X2_LVT_TIMER   0x832
#define TSC_DEADLINE   0x6e0
#define SVR_ENABLED    0x100
#define LVT_DEADLINE   (2ul << 17)

#define IOAPIC_INDEX  0xfec00000ul
#define IOAPIC_WINDOW 0xfec00010ul
#define ENTRY(line)   (0x10 + 2 * (line))
#define ENTRY_MASKED  (1u << 16)

#define UART 0x3f8
enum { UART_IER = 1, UART_IIR = 2, UART_MCR = 4, UART_LINE = 4, IER_THRE = 2, MCR_OUT2 = 8 };

/* Vectors, and their exceptions'. irq_vector.S has a handler for each of the former. */
enum { FIRST = 0x40, SPURIOUS = 0x4f, VECTORS = 0x50, VECTOR_GP = 13, VECTOR_PF = 14 };
#define CODE_SELECTOR  0x10
#define INTERRUPT_GATE 0x8e00 /* present */

extern char rt_trap_gp[], rt_trap_pf[], rt_irq_timer_vector[], rt_irq_ipi_vector[], rt_irq_uart_vector[], rt_irq_spurious_vector[];
void rt_irq_taken(enum rt_irq irq);

static struct gate {
	uint16_t offset_0, selector, type, offset_16;
	uint32_t offset_32, reserved;
} idt[VECTORS];

static void (*taken)(enum rt_irq irq);
static uint64_t counts[RT_CPUS][RT_IRQS];

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static void out(unsigned offset, uint8_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "Nd"((uint16_t)(UART + offset)));
}

static uint8_t in(unsigned offset)
{
	uint8_t value;

	__asm__ volatile("inb %w1, %b0" : "=a"(value) : "Nd"((uint16_t)(UART + offset)));
	return value;
}

static void write_ioapic(uint32_t index, uint32_t value)
{
	*(volatile uint32_t *)IOAPIC_INDEX = index;
	*(volatile uint32_t *)IOAPIC_WINDOW = value;
}

static void set_gate(unsigned vector, const char *handler)
{
	uint64_t address = (uintptr_t)handler;

	idt[vector] = (struct gate){ .offset_0 = (uint16_t)address,
				     .selector = CODE_SELECTOR,
				     .type = INTERRUPT_GATE,
				     .offset_16 = (uint16_t)(address >> 16),
				     .offset_32 = (uint32_t)(address >> 32) };
}

static void load_table(void)
{
	const struct {
		uint16_t limit;
		const void *base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, idt };

	set_gate(VECTOR_GP, rt_trap_gp);
	set_gate(VECTOR_PF, rt_trap_pf);
	set_gate(FIRST + RT_IRQ_TIMER, rt_irq_timer_vector);
	set_gate(FIRST + RT_IRQ_IPI, rt_irq_ipi_vector);
	set_gate(FIRST + RT_IRQ_UART, rt_irq_uart_vector);
	set_gate(SPURIOUS, rt_irq_spurious_vector);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

void rt_irq_init(void (*function)(enum rt_irq irq))
{
	taken = function;
	load_table();
	write_msr(APIC_BASE, read_msr(APIC_BASE) | APIC_BASE_EXTD);
	write_msr(X2_SVR, SVR_ENABLED | SPURIOUS);
	write_msr(X2_LVT_TIMER, LVT_DEADLINE | (FIRST + RT_IRQ_TIMER));
	rt_irq_timer(RT_NEVER);
	out(UART_IER, 0);
	out(UART_MCR, MCR_OUT2);
	write_ioapic(ENTRY(UART_LINE), ENTRY_MASKED);
}

uint64_t rt_irq_count(enum rt_irq irq)
{
	return __atomic_load_n(&counts[rt_cpu_id()][irq], __ATOMIC_RELAXED);
}

/* Reading what the UART's was clears it; the timer's is cleared by itself. */
void rt_irq_taken(enum rt_irq irq)
{
	if (irq == RT_IRQ_UART)
		(void)in(UART_IIR);
	__atomic_fetch_add(&counts[rt_cpu_id()][irq], 1, __ATOMIC_RELAXED);
	if (taken)
		taken(irq);
	write_msr(X2_EOI, 0);
}

/* Each is taken before the next instruction as long as there is one; but not the first after STI. */
void rt_irq_take(void)
{
	__asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

static uint64_t all_taken(void)
{
	return rt_irq_count(RT_IRQ_TIMER) + rt_irq_count(RT_IRQ_IPI) + rt_irq_count(RT_IRQ_UART);
}

void rt_irq_wait(void)
{
	uint64_t before = all_taken();

	do
		__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	while (all_taken() == before);
}

/* 0 would be none. */
void rt_irq_timer(uint64_t ticks)
{
	write_msr(TSC_DEADLINE, ticks == RT_NEVER ? 0 : rt_arch_ticks() + ticks);
}

void rt_irq_send(unsigned id)
{
	__asm__ volatile("mfence" : : : "memory");
	write_msr(X2_ICR, (uint64_t)id << 32 | (FIRST + RT_IRQ_IPI));
}

/* That the transmitter is empty is an interrupt once it is asked for: an edge. */
void rt_irq_uart(void)
{
	out(UART_IER, 0);
	write_ioapic(ENTRY(UART_LINE) + 1, rt_cpu_id() << 24);
	write_ioapic(ENTRY(UART_LINE), FIRST + RT_IRQ_UART);
	out(UART_IER, IER_THRE);
}
