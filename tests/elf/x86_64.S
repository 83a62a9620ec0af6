/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls probe_main and ends with what it returns: the stack, and the hypercall as docs/guest-abi.md has it. */

	.section .text.entry, "ax", %progbits
	.globl	_start
	.type	_start, %function
_start:
	movl	$0x80000, %esp		/* RAM below all programs that nobody uses */
	call	probe_main
	movq	%rax, %rdi
	movl	$0x40000001, %eax
	cpuid
	testl	%eax, %eax
	movl	$1, %eax
	jnz	1f
	vmcall
1:	vmmcall
	.size	_start, . - _start

	.section .note.GNU-stack, "", %progbits
