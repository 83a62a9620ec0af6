/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a RISC-V guest begins: VS-mode, satp 0, a0 = hart id, a1 = device tree (Linux, Documentation/arch/riscv/boot.rst). */

	.section .text.entry, "ax", %progbits
	.globl	_start
	.type	_start, %function
_start:
	lla	sp, stack_top
	li	ra, 0
	li	s0, 0
	mv	a0, a1
	call	rt_start
	unimp
	.size	_start, . - _start

	.bss
	.balign	16
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", %progbits
