/* SPDX-License-Identifier: BSD-2-Clause */
/* Synchronous exceptions of an AArch64 guest at EL1: guest/rt/fault.h. */
#define TRAP_SHIFT 5 /* of one entry of rt_traps: esr, far, and sp of rt_attempt, 0 outside of it */
#define RECOVERY   16

/* \to: this vCPU's entry of rt_traps. */
	.macro own_trap to, with
	mrs	\with, mpidr_el1
	and	\with, \with, #15
	adrp	\to, rt_traps
	add	\to, \to, #:lo12:rt_traps
	add	\to, \to, \with, lsl #TRAP_SHIFT
	.endm

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
	own_trap x2, x3
	mov	x3, sp
	str	x3, [x2, #RECOVERY]
	mov	x2, x0
	mov	x0, x1
	blr	x2
	mov	w0, #1
leave_attempt:
	own_trap x2, x3
	str	xzr, [x2, #RECOVERY]
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret
	.size	rt_attempt, . - rt_attempt

trap:
	own_trap x0, x1
	mrs	x1, esr_el1
	mrs	x2, far_el1
	stp	x1, x2, [x0]
	ldr	x1, [x0, #RECOVERY]
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
	.globl	rt_traps
rt_traps:
	.skip	16 << TRAP_SHIFT

	.section .note.GNU-stack, "", %progbits
