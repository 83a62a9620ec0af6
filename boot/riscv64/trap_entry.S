/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a trap of the hypervisor's own goes: save what there is to report, on a stack that can be trusted, and report. */
#include "boot/riscv64/trap_stack.h"
#include "include/arch/riscv64/csr.h"

	.text

/*
 * sscratch is 0 while the hypervisor runs. Builds struct trap_frame (boot/riscv64/traps.c); never returns.
 *
 * No register tells which hart this is, but the stack pointer: trap_stacks (traps.c) lists the blocks that stacks lie in. It may be the
 * trouble itself, so nothing is written to that stack. Registers to look with are put in trap_scratch, by one hart at a time: who has
 * it has taken its address.
 */
	.globl	trap_entry
	.hidden	trap_entry
	.type	trap_entry, @function
	.balign	4
trap_entry:
	csrrw	sp, CSR_SSCRATCH, sp
1:	lla	sp, trap_scratch
	amoswap.d.aq sp, zero, (sp)
	beqz	sp, 1b
	sd	x5, 0(sp)
	sd	x6, 8(sp)
	sd	x7, 16(sp)
	csrr	t2, CSR_SSCRATCH
	lla	t0, trap_stacks
2:	ld	t1, TRAP_STACK_BLOCK(t0)
	beqz	t1, 3f /* the last row: of no hart */
	xor	t1, t1, t2
	srli	t1, t1, CPU_BLOCK_SHIFT
	beqz	t1, 3f
	addi	t0, t0, TRAP_STACK_ROW
	j	2b
3:	mv	t2, t0
	ld	t0, TRAP_STACK_TOP(t0)
	addi	t0, t0, -(8 * 32)
	sd	t2, 0(t0)
	ld	t1, 0(sp)
	sd	t1, 8*5(t0)
	ld	t1, 8(sp)
	sd	t1, 8*6(t0)
	ld	t1, 16(sp)
	sd	t1, 8*7(t0)
	lla	t1, trap_scratch
	amoswap.d.rl zero, sp, (t1)
	mv	sp, t0
	sd	x1, 8*1(sp)
	sd	x3, 8*3(sp)
	sd	x4, 8*4(sp)
	sd	x8, 8*8(sp)
	sd	x9, 8*9(sp)
	sd	x10, 8*10(sp)
	sd	x11, 8*11(sp)
	sd	x12, 8*12(sp)
	sd	x13, 8*13(sp)
	sd	x14, 8*14(sp)
	sd	x15, 8*15(sp)
	sd	x16, 8*16(sp)
	sd	x17, 8*17(sp)
	sd	x18, 8*18(sp)
	sd	x19, 8*19(sp)
	sd	x20, 8*20(sp)
	sd	x21, 8*21(sp)
	sd	x22, 8*22(sp)
	sd	x23, 8*23(sp)
	sd	x24, 8*24(sp)
	sd	x25, 8*25(sp)
	sd	x26, 8*26(sp)
	sd	x27, 8*27(sp)
	sd	x28, 8*28(sp)
	sd	x29, 8*29(sp)
	sd	x30, 8*30(sp)
	sd	x31, 8*31(sp)
	csrrw	t0, CSR_SSCRATCH, zero
	sd	t0, 8*2(sp)
	mv	a0, sp
	li	ra, 0
	li	s0, 0
	tail	trap_handle
	.size	trap_entry, . - trap_entry

	.section .note.GNU-stack, "", @progbits
