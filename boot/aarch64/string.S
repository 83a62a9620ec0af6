/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy and memset by general registers. newlib's own use SIMD registers, which hold a guest's state, or go byte by byte.
 * Words are used where addresses are aligned: alignment may be checked.
 */
	.text

	.macro copy_64 offset
	ldp	x4, x5, [x1, #\offset]
	ldp	x6, x7, [x1, #\offset + 16]
	ldp	x8, x9, [x1, #\offset + 32]
	ldp	x10, x11, [x1, #\offset + 48]
	stp	x4, x5, [x3, #\offset]
	stp	x6, x7, [x3, #\offset + 16]
	stp	x8, x9, [x3, #\offset + 32]
	stp	x10, x11, [x3, #\offset + 48]
	.endm

/* void *memcpy(void *to, const void *from, size_t size) */
	.globl	memcpy
	.hidden	memcpy
	.type	memcpy, %function
	.balign	64
memcpy:
	mov	x3, x0
	orr	x4, x0, x1
	tst	x4, #7
	b.ne	3f
	subs	x2, x2, #512
	b.lo	1f
8:	copy_64	0
	copy_64	64
	copy_64	128
	copy_64	192
	copy_64	256
	copy_64	320
	copy_64	384
	copy_64	448
	add	x1, x1, #512
	add	x3, x3, #512
	subs	x2, x2, #512
	b.hs	8b
1:	adds	x2, x2, #448		/* 512 more, and 64 of them at a time */
	b.mi	2f
9:	copy_64	0
	add	x1, x1, #64
	add	x3, x3, #64
	subs	x2, x2, #64
	b.hs	9b
2:	add	x2, x2, #64
4:	subs	x2, x2, #8
	b.lo	5f
	ldr	x4, [x1], #8
	str	x4, [x3], #8
	b	4b
5:	add	x2, x2, #8
3:	cbz	x2, 7f
6:	ldrb	w4, [x1], #1
	strb	w4, [x3], #1
	subs	x2, x2, #1
	b.ne	6b
7:	ret
	.size	memcpy, . - memcpy

/* void *memset(void *to, int byte, size_t size) */
	.globl	memset
	.hidden	memset
	.type	memset, %function
	.balign	64
memset:
	mov	x3, x0
	and	x1, x1, #0xff
	tst	x0, #7
	b.ne	3f
	mov	x4, #0x0101010101010101
	mul	x4, x1, x4
	subs	x2, x2, #64
	b.lo	2f
1:	stp	x4, x4, [x3]
	stp	x4, x4, [x3, #16]
	stp	x4, x4, [x3, #32]
	stp	x4, x4, [x3, #48]
	add	x3, x3, #64
	subs	x2, x2, #64
	b.hs	1b
2:	add	x2, x2, #64
4:	subs	x2, x2, #8
	b.lo	5f
	str	x4, [x3], #8
	b	4b
5:	add	x2, x2, #8
3:	cbz	x2, 7f
6:	strb	w1, [x3], #1
	subs	x2, x2, #1
	b.ne	6b
7:	ret
	.size	memset, . - memset

	.section .note.GNU-stack, "", %progbits
