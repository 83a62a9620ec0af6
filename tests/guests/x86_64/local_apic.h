/* SPDX-License-Identifier: BSD-2-Clause */
/* For guests that take interrupts: an interrupt table of all vectors, and the local APIC in x2APIC mode. */
#ifndef NESTLING_TESTS_GUESTS_X86_64_LOCAL_APIC_H
#define NESTLING_TESTS_GUESTS_X86_64_LOCAL_APIC_H

#include "tests/guests/check.h"

#define APIC_BASE_MSR    0x1b
#define APIC_ENABLED     (1ul << 11)
#define APIC_X2          (1ul << 10)
#define APIC_PAGE        0xfee00000
#define IOAPIC_PAGE      0xfec00000
#define TSC_DEADLINE_MSR 0x6e0
#define X2_TPR           0x808
#define X2_PPR           0x80a
#define X2_EOI           0x80b
#define X2_SVR           0x80f
#define X2_ISR           0x810
#define X2_IRR           0x820
#define X2_ESR           0x828
#define X2_ICR           0x830
#define X2_LVT_TIMER     0x832
#define X2_LVT_ERROR     0x837
#define X2_INITIAL       0x838
#define X2_CURRENT       0x839
#define X2_DIVIDE        0x83e
#define X2_SELF          0x83f
#define LVT_MASKED       0x10000
#define LVT_PERIODIC     0x20000
#define LVT_DEADLINE     0x40000
#define ICR_NMI          0x400
#define ICR_INIT         0x500
#define ICR_STARTUP      0x600
#define ICR_ASSERT       0x4000
#define ICR_OTHERS       0xc0000

static inline uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* What came, by vector; and what a guest wants done for it, with interrupts off, before it ends the interrupt itself. */
static volatile uint64_t taken[256];
static void (*volatile on_vector[256])(void);

__attribute__((used)) static void interrupt(uint64_t vector)
{
	__atomic_add_fetch(&taken[vector], 1, __ATOMIC_SEQ_CST);
	if (on_vector[vector])
		on_vector[vector]();
	else if (vector >= 32)
		write_msr(X2_EOI, 0);
}

/* No exception with an error code is expected. */
extern char interrupt_stubs[];
__asm__("	.section .text.interrupts, \"ax\", %progbits\n"
	"	.balign	16\n"
	"interrupt_stubs:\n"
	"	.set	vector, 0\n"
	"	.rept	256\n"
	"	.balign	16\n"
	"	pushq	%rdi\n"
	"	movl	$vector, %edi\n"
	"	jmp	interrupt_common\n"
	"	.set	vector, vector + 1\n"
	"	.endr\n"
	"interrupt_common:\n"
	"	pushq	%rax\n	pushq	%rcx\n	pushq	%rdx\n	pushq	%rsi\n"
	"	pushq	%r8\n	pushq	%r9\n	pushq	%r10\n	pushq	%r11\n"
	"	cld\n"
	"	call	interrupt\n"
	"	popq	%r11\n	popq	%r10\n	popq	%r9\n	popq	%r8\n"
	"	popq	%rsi\n	popq	%rdx\n	popq	%rcx\n	popq	%rax\n"
	"	popq	%rdi\n"
	"	iretq\n"
	"	.text\n");

static struct {
	uint16_t offset_0, selector, type, offset_16;
	uint32_t offset_32, zero;
} interrupt_table[256];

static inline void load_interrupt_table(void)
{
	struct {
		uint16_t limit;
		void *base;
	} __attribute__((packed)) idtr = { sizeof(interrupt_table) - 1, interrupt_table };

	for (unsigned i = 0; i < 256; i++) {
		uint64_t address = (uintptr_t)interrupt_stubs + 16 * i;

		interrupt_table[i].offset_0 = (uint16_t)address;
		interrupt_table[i].selector = 0x10;
		interrupt_table[i].type = 0x8e00; /* present, interrupt gate */
		interrupt_table[i].offset_16 = (uint16_t)(address >> 16);
		interrupt_table[i].offset_32 = (uint32_t)(address >> 32);
	}
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

/* This vCPU takes interrupts from now on, when it says so. */
static inline void apic_begin(void)
{
	load_interrupt_table();
	write_msr(APIC_BASE_MSR, read_msr(APIC_BASE_MSR) | APIC_X2);
	write_msr(X2_SVR, 0x1ff);
}

/* Let in what is pending. */
static inline void let_in(void)
{
	__asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

static inline void halt_once(void)
{
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

#endif
