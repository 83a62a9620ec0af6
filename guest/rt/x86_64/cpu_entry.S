/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a vCPU begins that rt_arch_cpu_start has started: in the mode of who has started it, with rdi = its struct rt_cpu, and no
 * stack. GS leads to that structure from then on, by which rt_arch_cpu_id knows it.
 */
#define MSR_GS_BASE 0xc0000101

	.text
	.globl	rt_cpu_entry
	.type	rt_cpu_entry, %function
rt_cpu_entry:
	cld
	movq	(%rdi), %rsp
	xorl	%ebp, %ebp
	movl	$MSR_GS_BASE, %ecx
	movl	%edi, %eax
	movq	%rdi, %rdx
	shrq	$32, %rdx
	wrmsr
	call	rt_cpu_main
	ud2
	.size	rt_cpu_entry, . - rt_cpu_entry

	.section .note.GNU-stack, "", %progbits
