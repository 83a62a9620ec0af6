/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions of a RISC-V guest in VS-mode: guest/rt/fault.h. */
#define TRAP_SHIFT 5 /* of one entry of rt_traps: scause, stval, and sp of rt_attempt, 0 outside of it */
#define RECOVERY   16

/* \to: this vCPU's entry of rt_traps. tp is the vCPU's id once there are several; before it may hold anything. */
	.macro own_trap to, with
	lla	\with, rt_several
	lbu	\with, (\with)
	beqz	\with, 7f
	slli	\with, tp, TRAP_SHIFT
7:	lla	\to, rt_traps
	add	\to, \to, \with
	.endm

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
	own_trap t0, t1
	sd	sp, RECOVERY(t0)
	mv	t0, a0
	mv	a0, a1
	jalr	t0
	li	a0, 1
leave_attempt:
	own_trap t0, t1
	sd	zero, RECOVERY(t0)
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
	own_trap t0, t1
	csrr	t1, scause
	sd	t1, 0(t0)
	csrr	t1, stval
	sd	t1, 8(t0)
	ld	t1, RECOVERY(t0)
	beqz	t1, 1f
	/* What was attempted is given up, its stack and its registers too; the mode is the same, so there is nothing to return from. */
	mv	sp, t1
	li	a0, 0
	j	leave_attempt
1:	call	rt_fault_stray
	unimp

	.bss
	.balign	8
	.globl	rt_traps
rt_traps:
	.skip	16 << TRAP_SHIFT

	.section .note.GNU-stack, "", %progbits
