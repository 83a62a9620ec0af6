/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of a RISC-V guest in VS-mode: guest/rt/irq.h. What is no interrupt goes to trap.S. */
	.macro for_registers op
	\op	ra, 0(sp)
	\op	t0, 8(sp)
	\op	t1, 16(sp)
	\op	t2, 24(sp)
	\op	t3, 32(sp)
	\op	t4, 40(sp)
	\op	t5, 48(sp)
	\op	t6, 56(sp)
	\op	a0, 64(sp)
	\op	a1, 72(sp)
	\op	a2, 80(sp)
	\op	a3, 88(sp)
	\op	a4, 96(sp)
	\op	a5, 104(sp)
	\op	a6, 112(sp)
	\op	a7, 120(sp)
	.endm

	.text
	.balign	4
	.globl	rt_irq_vector
rt_irq_vector:
	addi	sp, sp, -128
	for_registers sd
	csrr	a0, scause
	bgez	a0, 1f
	call	rt_irq_taken
	for_registers ld
	addi	sp, sp, 128
	sret
1:	j	rt_trap_vector

	.section .note.GNU-stack, "", %progbits
