/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an x86_64 guest begins: long mode, rsi = boot_params (Linux, "The Linux/x86 Boot Protocol", 64-bit boot). */

	.section .text.entry, "ax", %progbits
	.globl	_start
	.type	_start, %function
_start:
	cld
	leaq	stack_top(%rip), %rsp
	xorl	%ebp, %ebp
	movq	%rsi, %rdi
	call	rt_start
	ud2
	.size	_start, . - _start

	.bss
	.balign	16
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", %progbits
