/* SPDX-License-Identifier: BSD-2-Clause */
/* All general registers in use at once, without an exit. For tests/guests/keep_state.c. */
#ifndef NESTLING_TESTS_GUESTS_X86_64_GPRS_H
#define NESTLING_TESTS_GUESTS_X86_64_GPRS_H

#include <stdint.h>

/* Give each register a number of its own, by `seed`, count down from `rounds`, and compare: 0, if all are what they were. */
uint64_t gprs_spin(uint64_t seed, uint64_t rounds);

__asm__("	.text\n"
	"	.globl	gprs_spin\n"
	"gprs_spin:\n"
	"	.irp	r, rbx, rbp, r12, r13, r14, r15\n"
	"	pushq	%\\r\n"
	"	.endr\n"
	"	movq	%rdi, %rax\n"
	"	movq	%rsi, %rcx\n"
	"	.set	n, 1\n"
	"	.irp	r, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15\n"
	"	leaq	n(%rax), %\\r\n"
	"	.set	n, n + 1\n"
	"	.endr\n"
	"1:	decq	%rcx\n"
	"	jnz	1b\n"
	"	.set	n, 1\n"
	"	.irp	r, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15\n"
	"	subq	%rax, %\\r\n"
	"	subq	$n, %\\r\n"
	"	orq	%\\r, %rcx\n"
	"	.set	n, n + 1\n"
	"	.endr\n"
	"	movq	%rcx, %rax\n"
	"	.irp	r, r15, r14, r13, r12, rbp, rbx\n"
	"	popq	%\\r\n"
	"	.endr\n"
	"	ret\n");

#endif
