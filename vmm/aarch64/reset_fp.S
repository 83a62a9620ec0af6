/* SPDX-License-Identifier: BSD-2-Clause */
/* The one place that touches FP and SIMD registers: before a guest runs, what firmware left in them is cleared. */

	.arch	armv8-a+fp+simd
	.text

/* void reset_fp(void) */
	.globl	reset_fp
	.hidden	reset_fp
	.type	reset_fp, %function
reset_fp:
	.irp	number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movi	v\number\().2d, #0
	.endr
	.irp	number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	movi	v\number\().2d, #0
	.endr
	msr	fpcr, xzr
	msr	fpsr, xzr
	ret
	.size	reset_fp, . - reset_fp

	.section .note.GNU-stack, "", %progbits
