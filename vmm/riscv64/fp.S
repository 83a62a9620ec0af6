/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FP and vector registers, which hold the guest's values all the time. They are touched here only, when a guest forks,
 * and only where sstatus has them on. Never on the way of an exit.
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

/* void fp_save(struct fp_state *fp) */
	.globl	fp_save
	.hidden	fp_save
	.type	fp_save, @function
fp_save:
	for_fp	fsd
	csrr	a1, fcsr
	sd	a1, 256(a0)
	ret
	.size	fp_save, . - fp_save

/* void fp_load(const struct fp_state *fp) */
	.globl	fp_load
	.hidden	fp_load
	.type	fp_load, @function
fp_load:
	for_fp	fld
	ld	a1, 256(a0)
	csrw	fcsr, a1
	ret
	.size	fp_load, . - fp_load

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

/* uint64_t vector_bytes(void): of one register */
	.globl	vector_bytes
	.hidden	vector_bytes
	.type	vector_bytes, @function
vector_bytes:
	csrr	a0, vlenb
	ret
	.size	vector_bytes, . - vector_bytes

	.option	pop
	.section .note.GNU-stack, "", @progbits
