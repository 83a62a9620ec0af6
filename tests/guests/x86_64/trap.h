/* SPDX-License-Identifier: BSD-2-Clause */
/* An interrupt table that notes the exception an instruction raises, and goes on behind it. */
#ifndef NESTLING_TESTS_GUESTS_X86_64_TRAP_H
#define NESTLING_TESTS_GUESTS_X86_64_TRAP_H

#include "tests/guests/check.h"

#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14
#define NO_TRAP   (-1)

extern volatile int64_t trap_vector, trap_error, trap_count;
/* Where the handler returns to; 0: to where the exception says. */
extern volatile uint64_t trap_resume;
extern char trap_stubs[];

__asm__(".section .text.trap, \"ax\", %progbits\n"
	"	.balign	16\n"
	"trap_stubs:\n"
	"	.set	trap, 0\n"
	"	.rept	32\n"
	"	.balign	16\n"
	"	.ifeq	(trap == 8) | ((trap >= 10) & (trap <= 14)) | (trap == 17) | (trap == 21)\n"
	"	pushq	$0\n"
	"	.endif\n"
	"	pushq	$trap\n"
	"	jmp	trap_common\n"
	"	.set	trap, trap + 1\n"
	"	.endr\n"
	"trap_common:\n"
	"	popq	trap_vector(%rip)\n"
	"	popq	trap_error(%rip)\n"
	"	incq	trap_count(%rip)\n"
	"	pushq	%rax\n"
	"	movq	trap_resume(%rip), %rax\n"
	"	testq	%rax, %rax\n"
	"	jz	1f\n"
	"	movq	%rax, 8(%rsp)\n"
	"1:	popq	%rax\n"
	"	iretq\n"
	"	.section .bss.trap, \"aw\", %nobits\n"
	"	.balign	8\n"
	"trap_vector: .skip 8\n"
	"trap_error: .skip 8\n"
	"trap_count: .skip 8\n"
	"trap_resume: .skip 8\n"
	"	.text\n");

static struct {
	uint16_t offset_0, selector, type, offset_16;
	uint32_t offset_32, zero;
} trap_idt[32];

static inline void trap_gate(unsigned vector, const void *handler)
{
	uint64_t address = (uintptr_t)handler;

	trap_idt[vector].offset_0 = (uint16_t)address;
	trap_idt[vector].selector = 0x10;
	trap_idt[vector].type = 0x8e00; /* present, interrupt gate */
	trap_idt[vector].offset_16 = (uint16_t)(address >> 16);
	trap_idt[vector].offset_32 = (uint32_t)(address >> 32);
}

static inline void trap_init(void)
{
	struct {
		uint16_t limit;
		void *base;
	} __attribute__((packed)) idtr = { sizeof(trap_idt) - 1, trap_idt };

	for (unsigned i = 0; i < 32; i++)
		trap_gate(i, trap_stubs + 16 * i);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

/*
 * The vector of the exception that an instruction raises, or NO_TRAP. Behind the instruction come its operands as for
 * asm, outputs ':' inputs.
 */
#define TRAP_OF(insn, ...)                                                                                           \
	({                                                                                                           \
		trap_vector = NO_TRAP;                                                                               \
		__asm__ volatile("movq $771f, trap_resume(%%rip)\n\t" insn "\n771:" : __VA_ARGS__ : "memory", "cc"); \
		(int)trap_vector;                                                                                    \
	})

#endif
