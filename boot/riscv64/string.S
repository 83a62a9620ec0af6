/* SPDX-License-Identifier: BSD-2-Clause */
/* memcpy by sixty-four words at a time, then eight: newlib's takes four times as many instructions for a page. */
	.text

	.macro copy_64 offset
	ld	t0, \offset(a1)
	ld	t1, \offset + 8(a1)
	ld	t2, \offset + 16(a1)
	ld	t3, \offset + 24(a1)
	ld	t4, \offset + 32(a1)
	ld	t5, \offset + 40(a1)
	ld	t6, \offset + 48(a1)
	ld	a5, \offset + 56(a1)
	sd	t0, \offset(a3)
	sd	t1, \offset + 8(a3)
	sd	t2, \offset + 16(a3)
	sd	t3, \offset + 24(a3)
	sd	t4, \offset + 32(a3)
	sd	t5, \offset + 40(a3)
	sd	t6, \offset + 48(a3)
	sd	a5, \offset + 56(a3)
	.endm

/* void *memcpy(void *to, const void *from, size_t size) */
	.globl	memcpy
	.hidden	memcpy
	.type	memcpy, @function
	.balign	4
memcpy:
	mv	a3, a0
	add	a6, a1, a2 /* the end of what is copied */
	or	a4, a0, a1
	andi	a4, a4, 7
	bnez	a4, 5f
	andi	a4, a2, -512
	add	a4, a4, a1
	beq	a1, a4, 8f
9:	copy_64	0
	copy_64	64
	copy_64	128
	copy_64	192
	copy_64	256
	copy_64	320
	copy_64	384
	copy_64	448
	addi	a1, a1, 512
	addi	a3, a3, 512
	bne	a1, a4, 9b
8:	andi	a4, a2, 448
	add	a4, a4, a1
	beq	a1, a4, 2f
1:	copy_64	0
	addi	a1, a1, 64
	addi	a3, a3, 64
	bne	a1, a4, 1b
2:	andi	a4, a2, 56
	add	a4, a4, a1
	beq	a1, a4, 5f
3:	ld	t0, 0(a1)
	sd	t0, 0(a3)
	addi	a1, a1, 8
	addi	a3, a3, 8
	bne	a1, a4, 3b
5:	beq	a1, a6, 7f
6:	lbu	t0, 0(a1)
	sb	t0, 0(a3)
	addi	a1, a1, 1
	addi	a3, a3, 1
	bne	a1, a6, 6b
7:	ret
	.size	memcpy, . - memcpy

	.section .note.GNU-stack, "", @progbits
