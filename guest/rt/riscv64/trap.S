/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions of a RISC-V guest in VS-mode: guest/rt/fault.h. */

	.text
	.globl	rt_attempt
	.type	rt_attempt, %function
rt_attempt:
	addi	sp, sp, -112
	sd	ra, 0(sp)
	sd	s0, 8(sp)
	sd	s1, 16(sp)
	sd	s2, 24(sp)
	sd	s3, 32(sp)
	sd	s4, 40(sp)
	sd	s5, 48(sp)
	sd	s6, 56(sp)
	sd	s7, 64(sp)
	sd	s8, 72(sp)
	sd	s9, 80(sp)
	sd	s10, 88(sp)
	sd	s11, 96(sp)
	lla	t0, recovery
	sd	sp, (t0)
	mv	t0, a0
	mv	a0, a1
	jalr	t0
	li	a0, 1
leave_attempt:
	lla	t0, recovery
	sd	zero, (t0)
	ld	ra, 0(sp)
	ld	s0, 8(sp)
	ld	s1, 16(sp)
	ld	s2, 24(sp)
	ld	s3, 32(sp)
	ld	s4, 40(sp)
	ld	s5, 48(sp)
	ld	s6, 56(sp)
	ld	s7, 64(sp)
	ld	s8, 72(sp)
	ld	s9, 80(sp)
	ld	s10, 88(sp)
	ld	s11, 96(sp)
	addi	sp, sp, 112
	ret
	.size	rt_attempt, . - rt_attempt

	.balign	4
	.globl	rt_trap_vector
rt_trap_vector:
	lla	t0, rt_trap
	csrr	t1, scause
	sd	t1, 0(t0)
	csrr	t1, stval
	sd	t1, 8(t0)
	lla	t0, recovery
	ld	t1, (t0)
	beqz	t1, 1f
	/* What was attempted is given up, its stack and its registers too; the mode is the same, so there is nothing to return from. */
	mv	sp, t1
	li	a0, 0
	j	leave_attempt
1:	call	rt_fault_stray
	unimp

	.bss
	.balign	8
	.globl	rt_trap
rt_trap:
	.skip	16 /* scause, stval */
recovery:
	.skip	8 /* sp of rt_attempt; 0 outside of it */

	.section .note.GNU-stack, "", %progbits
