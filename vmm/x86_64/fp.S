/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x87 and SSE registers, which hold the guest's values all the time: put there before a guest's first instruction, and
 * copied when it forks. Never on the way of an exit. Intel SDM vol. 1 "FXSAVE and FXRSTOR Instructions".
 */
	.text

/* void fp_save(struct fp_state *fp) */
	.globl	fp_save
	.hidden	fp_save
	.type	fp_save, @function
fp_save:
	fxsave64	(%rdi)
	ret
	.size	fp_save, . - fp_save

/* void fp_load(const struct fp_state *fp) */
	.globl	fp_load
	.hidden	fp_load
	.type	fp_load, @function
fp_load:
	fninit			/* AMD's FXRSTOR leaves the last x87 instruction's addresses alone if no exception waits */
	fxrstor64	(%rdi)
	ret
	.size	fp_load, . - fp_load

	.section .note.GNU-stack, "", @progbits
