/* SPDX-License-Identifier: BSD-2-Clause */
/* Synchronous exceptions of an AArch64 guest at EL1: guest/rt/fault.h. */

	.text
	.globl	rt_attempt
	.type	rt_attempt, %function
rt_attempt:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	adrp	x2, recovery
	mov	x3, sp
	str	x3, [x2, #:lo12:recovery]
	mov	x2, x0
	mov	x0, x1
	blr	x2
	mov	w0, #1
leave_attempt:
	adrp	x2, recovery
	str	xzr, [x2, #:lo12:recovery]
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret
	.size	rt_attempt, . - rt_attempt

trap:
	adrp	x0, rt_trap
	add	x0, x0, #:lo12:rt_trap
	mrs	x1, esr_el1
	mrs	x2, far_el1
	stp	x1, x2, [x0]
	adrp	x0, recovery
	ldr	x1, [x0, #:lo12:recovery]
	cbz	x1, 1f
	/* What was attempted is given up, its stack and its registers too; the mode is the same, so there is nothing to return from. */
	mov	sp, x1
	mov	w0, #0
	b	leave_attempt
1:	bl	rt_fault_stray
	udf	#0

	/* Each kind of exception has 128 bytes; ours all come from the level and the stack that they go to. */
	.balign	2048
	.globl	rt_trap_vectors
rt_trap_vectors:
	.rept	16
	.balign	128
	b	trap
	.endr

	.bss
	.balign	8
	.globl	rt_trap
rt_trap:
	.skip	16 /* esr, far */
recovery:
	.skip	8 /* sp of rt_attempt; 0 outside of it */

	.section .note.GNU-stack, "", %progbits
