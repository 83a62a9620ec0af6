/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vectors of include/arch/aarch64/guarded.h: EL2's own exceptions only, since no guest runs meanwhile. A synchronous
 * one is that of the instruction that is tried, which is stepped over; an SError is another's, and the instruction is
 * gone back to. Arm ARM (DDI 0487), "Exception vectors".
 */
	.section .text.guarded_vectors, "ax", %progbits
	.balign	0x800
	.globl	guarded_vectors
	.hidden	guarded_vectors
	.type	guarded_vectors, %function
guarded_vectors:
	/* On SP_EL0, which firmware may use, and on SP_EL2. */
	.rept	2
	mrs	x16, elr_el2
	add	x16, x16, #4
	msr	elr_el2, x16
	mov	x17, #1
	eret
	.balign	0x80
	.skip	2 * 0x80	/* IRQ and FIQ, which are masked */
	mov	x17, #1
	eret
	.balign	0x80
	.endr
	.size	guarded_vectors, . - guarded_vectors

	.section .note.GNU-stack, "", %progbits
