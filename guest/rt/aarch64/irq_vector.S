/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of an AArch64 guest at EL1: guest/rt/irq.h. What is no interrupt goes to trap.S. */
	.macro for_registers op
	\op	x0, x1, [sp]
	\op	x2, x3, [sp, #16]
	\op	x4, x5, [sp, #32]
	\op	x6, x7, [sp, #48]
	\op	x8, x9, [sp, #64]
	\op	x10, x11, [sp, #80]
	\op	x12, x13, [sp, #96]
	\op	x14, x15, [sp, #112]
	\op	x16, x17, [sp, #128]
	\op	x18, x30, [sp, #144]
	.endm

	.text
interrupt:
	sub	sp, sp, #160
	for_registers stp
	bl	rt_irq_taken
	for_registers ldp
	add	sp, sp, #160
	eret

	/* That of an interrupt that comes from the same level, with its own stack pointer, is the sixth. */
	.balign	2048
	.globl	rt_irq_vectors
rt_irq_vectors:
	.set	offset, 0
	.rept	16
	.balign	128
	.if	offset == 0x280
	b	interrupt
	.else
	b	rt_trap_vectors + offset
	.endif
	.set	offset, offset + 128
	.endr

	.section .note.GNU-stack, "", %progbits
