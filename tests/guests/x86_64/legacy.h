/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A way from 64-bit code to 32-bit protected mode without paging, and back. The program is linked below 4 GiB and memory is
 * mapped one to one, so 32-bit code may stand anywhere in it.
 */
#ifndef NESTLING_TESTS_GUESTS_X86_64_LEGACY_H
#define NESTLING_TESTS_GUESTS_X86_64_LEGACY_H

#include "guest/rt/rt.h"

/* Selectors; the first two are those of the entry. For assembly they are numbers. */
#define CODE64    0x10
#define DATA      0x18
#define CODE32    0x20
#define CODE16    0x28 /* its base is REAL_MODE */
#define DATA16    0x30
#define CODE3     0x38 /* 32-bit, for DPL 3 */
#define DATA3     0x40
#define REAL_MODE 0x20000 /* a page below 1 MiB, for code of real mode */

static const uint64_t legacy_gdt[] = {
	0,
	0,
	0x00af9b000000ffff,
	0x00cf93000000ffff,
	0x00cf9b000000ffff,
	0x00009b020000ffff,
	0x000093000000ffff,
	0x00cffb000000ffff,
	0x00cff3000000ffff,
};

/* Call 32-bit code, which is to end by jumping to legacy_return: in protected mode, with paging and long mode off. */
void legacy_call(const char *code);

__asm__("	.section .text.legacy, \"ax\", %progbits\n"
	"	.globl	legacy_call, legacy_return\n"
	"legacy_call:\n"
	"	pushq	%rbx\n	pushq	%rbp\n	pushq	%r12\n	pushq	%r13\n	pushq	%r14\n	pushq	%r15\n"
	"	movq	%rsp, legacy_rsp\n"
	"	movq	%cr3, %rax\n"
	"	movl	%eax, legacy_cr3\n"
	"	movq	$legacy_stack, %rsp\n"
	"	pushq	$0x20\n"
	"	pushq	$1f\n"
	"	lretq\n"
	"	.code32\n"
	"1:	movl	$0x18, %eax\n"
	"	movw	%ax, %ds\n	movw	%ax, %es\n	movw	%ax, %ss\n"
	"	movl	%cr0, %eax\n"
	"	andl	$0x7fffffff, %eax\n"
	"	movl	%eax, %cr0\n"
	"	movl	$0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	andl	$~0x100, %eax\n"
	"	wrmsr\n"
	"	jmp	*%edi\n"
	"legacy_return:\n"
	"	movl	legacy_cr3, %eax\n"
	"	movl	%eax, %cr3\n"
	"	movl	$0x620, %eax\n"
	"	movl	%eax, %cr4\n"
	"	movl	$0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	orl	$0x100, %eax\n"
	"	wrmsr\n"
	"	movl	$0x80010033, %eax\n"
	"	movl	%eax, %cr0\n"
	"	ljmpl	$0x10, $1f\n"
	"	.code64\n"
	"1:	movq	legacy_rsp, %rsp\n"
	"	popq	%r15\n	popq	%r14\n	popq	%r13\n	popq	%r12\n	popq	%rbp\n	popq	%rbx\n"
	"	ret\n"
	"	.section .bss.legacy, \"aw\", %nobits\n"
	"	.balign	16\n"
	"	.skip	4096\n"
	"legacy_stack:\n"
	"legacy_rsp: .skip 8\n"
	"legacy_cr3: .skip 8\n"
	"	.text\n");

static inline void legacy_init(void)
{
	static const struct {
		uint16_t limit;
		const void *base;
	} __attribute__((packed)) gdtr = { sizeof(legacy_gdt) - 1, legacy_gdt };

	__asm__ volatile("lgdt %0" : : "m"(gdtr) : "memory");
}

#endif
