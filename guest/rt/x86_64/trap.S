/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions 13 and 14 of an x86_64 guest: guest/rt/fault.h. */

	.text
	.globl	rt_attempt
	.type	rt_attempt, %function
rt_attempt:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, recovery(%rip)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	movl	$1, %eax
leave_attempt:
	movq	$0, recovery(%rip)
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	rt_attempt, . - rt_attempt

	.globl	rt_trap_gp, rt_trap_pf
rt_trap_gp:
	movq	$13, rt_trap(%rip)
	jmp	trap
rt_trap_pf:
	movq	$14, rt_trap(%rip)
trap:
	cld
	popq	rt_trap + 8(%rip)
	movq	%cr2, %rax
	movq	%rax, rt_trap + 16(%rip)
	cmpq	$0, recovery(%rip)
	je	1f
	/* What was attempted is given up, its stack and its registers too. */
	movq	recovery(%rip), %rsp
	xorl	%eax, %eax
	jmp	leave_attempt
1:	andq	$-16, %rsp
	call	rt_fault_stray
	ud2

	.bss
	.balign	8
	.globl	rt_trap
rt_trap:
	.skip	24 /* vector, error code, cr2 */
recovery:
	.skip	8 /* rsp of rt_attempt; 0 outside of it */

	.section .note.GNU-stack, "", %progbits
