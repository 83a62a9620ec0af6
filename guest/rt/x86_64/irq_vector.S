/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of an x86_64 guest: guest/rt/irq.h. The numbers are those of enum rt_irq. */
	.macro handler name, number
	.globl	\name
	.type	\name, %function
\name:
	pushq	%rdi
	movl	$\number, %edi
	jmp	interrupt
	.size	\name, . - \name
	.endm

	.text
	handler rt_irq_timer_vector, 0
	handler rt_irq_ipi_vector, 1
	handler rt_irq_uart_vector, 2

	/* The CPU has aligned the stack, and has put five words there; with the nine here it is aligned again. */
interrupt:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	cld
	call	rt_irq_taken
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	popq	%rdi
	iretq

	.globl	rt_irq_spurious_vector
	.type	rt_irq_spurious_vector, %function
rt_irq_spurious_vector:
	iretq
	.size	rt_irq_spurious_vector, . - rt_irq_spurious_vector

	.section .note.GNU-stack, "", %progbits
