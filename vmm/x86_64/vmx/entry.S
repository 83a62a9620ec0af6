/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX's world switch: general registers only. Speculation barriers between guest and host are not done.
 *
 * VM entries and exits switch all else through the VMCS, but for CR2, DR0 to DR3, DR6 and the system-call MSRs, which stay
 * the guest's: the hypervisor uses none of them.
 */
#include "vmm/x86_64/offsets.h"

#define VMCS_HOST_RSP 0x6c14

	.text

/* bool vmx_enter(struct vcpu_arch *arch) */
	.globl	vmx_enter
	.hidden	vmx_enter
	.type	vmx_enter, @function
vmx_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi

	cmpq	%rsp, VCPU_VMX_HOST_RSP(%rdi)
	jne	4f
1:	cmpb	$0, VCPU_VMX_LAUNCHED(%rdi)	/* for the jump below: MOV leaves the flags alone */
	movq	VCPU_RAX(%rdi), %rax
	movq	VCPU_RCX(%rdi), %rcx
	movq	VCPU_RDX(%rdi), %rdx
	movq	VCPU_RBX(%rdi), %rbx
	movq	VCPU_RBP(%rdi), %rbp
	movq	VCPU_RSI(%rdi), %rsi
	movq	VCPU_R8(%rdi), %r8
	movq	VCPU_R9(%rdi), %r9
	movq	VCPU_R10(%rdi), %r10
	movq	VCPU_R11(%rdi), %r11
	movq	VCPU_R12(%rdi), %r12
	movq	VCPU_R13(%rdi), %r13
	movq	VCPU_R14(%rdi), %r14
	movq	VCPU_R15(%rdi), %r15
	movq	VCPU_RDI(%rdi), %rdi
	je	2f
	vmresume
	jmp	3f
2:	vmlaunch

	/* VMfail: the host's state is as before, general registers are the guest's. */
3:	popq	%rdi
	xorl	%eax, %eax
	jmp	5f

	/* The stack is not where it was at the last entry. */
4:	movl	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	movq	%rsp, VCPU_VMX_HOST_RSP(%rdi)
	jmp	1b

	.globl	vmx_exit_point
	.hidden	vmx_exit_point
vmx_exit_point:
	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rax, VCPU_RAX(%rdi)
	movq	%rcx, VCPU_RCX(%rdi)
	movq	%rdx, VCPU_RDX(%rdi)
	movq	%rbx, VCPU_RBX(%rdi)
	movq	%rbp, VCPU_RBP(%rdi)
	movq	%rsi, VCPU_RSI(%rdi)
	movq	%r8, VCPU_R8(%rdi)
	movq	%r9, VCPU_R9(%rdi)
	movq	%r10, VCPU_R10(%rdi)
	movq	%r11, VCPU_R11(%rdi)
	movq	%r12, VCPU_R12(%rdi)
	movq	%r13, VCPU_R13(%rdi)
	movq	%r14, VCPU_R14(%rdi)
	movq	%r15, VCPU_R15(%rdi)
	popq	VCPU_RDI(%rdi)
	popq	%rdi
	movb	$1, VCPU_VMX_LAUNCHED(%rdi)
	movl	$1, %eax

5:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	vmx_enter, . - vmx_enter

	.section .note.GNU-stack, "", @progbits
