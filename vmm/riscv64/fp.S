/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FP and vector registers, which hold the values of the vCPU that is resident. They are touched here only, when another vCPU takes the
 * hart; and only where sstatus has them on. Never on the way of an exit.
 */
	.text
	.option	push
	.option	arch, +d, +v

	.macro for_fp op
	.irp	number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\op	f\number, 8 * \number(a0)
	.endr
	.irp	number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\op	f\number, 8 * \number(a0)
	.endr
	.endm

	/* void fp_save(struct fp_state *fp), fp_load(const struct fp_state *fp), for one size of register */
	.macro fp_functions suffix, store, load
	.globl	fp_save\suffix
	.hidden	fp_save\suffix
	.type	fp_save\suffix, @function
fp_save\suffix:
	for_fp	\store
	csrr	a1, fcsr
	sd	a1, 256(a0)
	ret
	.size	fp_save\suffix, . - fp_save\suffix

	.globl	fp_load\suffix
	.hidden	fp_load\suffix
	.type	fp_load\suffix, @function
fp_load\suffix:
	for_fp	\load
	ld	a1, 256(a0)
	csrw	fcsr, a1
	ret
	.size	fp_load\suffix, . - fp_load\suffix
	.endm

	fp_functions , fsd, fld
	fp_functions _single, fsw, flw

/* The whole registers, eight at a time, from a0 on; vstart must be 0 for that. */
	.macro for_vectors op
	csrr	t0, vlenb
	slli	t0, t0, 3
	csrw	vstart, zero
	\op	v0, (a0)
	add	a0, a0, t0
	\op	v8, (a0)
	add	a0, a0, t0
	\op	v16, (a0)
	add	a0, a0, t0
	\op	v24, (a0)
	.endm

/* void vector_save(void *registers, struct vector_csrs *csrs) */
	.globl	vector_save
	.hidden	vector_save
	.type	vector_save, @function
vector_save:
	csrr	t1, vstart
	csrr	t2, vcsr
	csrr	t3, vl
	csrr	t4, vtype
	sd	t1, 0(a1)
	sd	t2, 8(a1)
	sd	t3, 16(a1)
	sd	t4, 24(a1)
	for_vectors vs8r.v
	csrw	vstart, t1
	ret
	.size	vector_save, . - vector_save

/* void vector_load(const void *registers, const struct vector_csrs *csrs) */
	.globl	vector_load
	.hidden	vector_load
	.type	vector_load, @function
vector_load:
	for_vectors vl8re8.v
	ld	t1, 0(a1)
	ld	t2, 8(a1)
	ld	t3, 16(a1)
	ld	t4, 24(a1)
	vsetvl	zero, t3, t4
	csrw	vcsr, t2
	csrw	vstart, t1
	ret
	.size	vector_load, . - vector_load

	.option	pop
	.section .note.GNU-stack, "", @progbits
