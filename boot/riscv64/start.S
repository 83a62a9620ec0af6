/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the firmware starts a hart: SBI specification 2.0, 9.1 "Function: Hart start": satp is 0, and interrupts are masked. */
#include "boot/riscv64/start.h"
#include "include/arch/riscv64/csr.h"

	.text

/* void hart_start(uint64_t hart, struct hart_start *start): `start` lies at the end of the hart's own stack. */
	.globl	hart_start
	.hidden	hart_start
	.type	hart_start, @function
	.balign	4
hart_start:
	fence.i
	csrw	CSR_SIE, zero
	csrw	CSR_SSCRATCH, zero
	lla	t0, trap_entry
	csrw	CSR_STVEC, t0
	/* The map has all memory where it is, and us with it. */
	ld	t0, HART_START_SATP(a1)
	sfence.vma
	csrw	CSR_SATP, t0
	sfence.vma
	mv	sp, a1
	ld	a0, HART_START_CPU(a1)
	li	ra, 0
	li	s0, 0
	tail	hart_started
	.size	hart_start, . - hart_start

	.section .note.GNU-stack, "", @progbits
