/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions 13 and 14 of an x86_64 guest: guest/rt/fault.h. */
#define TRAP_SHIFT 5 /* of one entry of rt_traps: vector, error code, cr2, and rsp of rt_attempt, 0 outside of it */
#define VECTOR     0
#define ERROR      8
#define CR2        16
#define RECOVERY   24

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
	movq	%rdi, %rbx
	movq	%rsi, %rbp
	call	own_trap
	movq	%rax, (%rsp)
	movq	%rsp, RECOVERY(%rax)
	movq	%rbp, %rdi
	call	*%rbx
	movl	$1, %eax
leave_attempt:
	popq	%rcx
	movq	$0, RECOVERY(%rcx)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	rt_attempt, . - rt_attempt

/* rax: this vCPU's entry of rt_traps. */
own_trap:
	subq	$8, %rsp
	call	rt_cpu_id
	addq	$8, %rsp
	shlq	$TRAP_SHIFT, %rax
	leaq	rt_traps(%rip), %rcx
	addq	%rcx, %rax
	ret

	.globl	rt_trap_gp, rt_trap_pf
rt_trap_gp:
	movl	$13, %ebx
	jmp	trap
rt_trap_pf:
	movl	$14, %ebx
trap:
	cld
	popq	%r12
	andq	$-16, %rsp
	call	own_trap
	movq	%rbx, VECTOR(%rax)
	movq	%r12, ERROR(%rax)
	movq	%cr2, %rcx
	movq	%rcx, CR2(%rax)
	movq	RECOVERY(%rax), %rcx
	testq	%rcx, %rcx
	jz	1f
	/* What was attempted is given up, its stack and its registers too. */
	movq	%rcx, %rsp
	xorl	%eax, %eax
	jmp	leave_attempt
1:	call	rt_fault_stray
	ud2

	.bss
	.balign	8
	.globl	rt_traps
rt_traps:
	.skip	16 << TRAP_SHIFT

	.section .note.GNU-stack, "", %progbits
