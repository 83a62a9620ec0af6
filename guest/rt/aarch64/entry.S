/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an AArch64 guest begins: EL1, MMU off, x0 = device tree (Linux Documentation/arch/arm64/booting.rst). */

	.section .text.entry, "ax", %progbits
	.globl	_start
	.type	_start, %function
_start:
	adrp	x1, stack_top
	add	x1, x1, #:lo12:stack_top
	mov	sp, x1
	mov	x29, xzr
	/* CPACR_EL1.FPEN: newlib's setjmp saves registers of FP, though nothing here is kept in them. */
	mrs	x1, cpacr_el1
	orr	x1, x1, #3 << 20
	msr	cpacr_el1, x1
	isb
	bl	rt_start
	udf	#0
	.size	_start, . - _start

	.bss
	.balign	16
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", %progbits
