/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry of all 256 vectors: push what C needs to report, and call it. */

	.text

/* 16 bytes a vector; those that push no error code get one. Intel SDM vol. 3, "Exception and Interrupt Reference". */
	.balign 16
	.globl	trap_entries
	.hidden	trap_entries
trap_entries:
	.set	vector, 0
	.rept	256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

/*
 * The hypervisor's own interrupts are noted only, in the register of whoever let them come (OPEN_WINDOW in interrupts.c), which ends
 * them. The bits are those of enum cpu_event.
 */
	.globl	interrupt_timer, interrupt_ipi
	.hidden	interrupt_timer, interrupt_ipi
interrupt_timer:
	orl	$1, %eax
	iretq
interrupt_ipi:
	orl	$2, %eax
	iretq

/* Builds struct trap_frame (boot/x86_64/traps.c) and passes it on. */
trap_common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	trap_handle
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
