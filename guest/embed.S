/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts the guest programs into the hypervisor's image: guest/embed.h. The build passes their names as GUESTS,
 * and the folder of the stripped ELF files as -I. The table holds addresses, which the image's start code relocates: hence .data.rel.ro.
 */

	.macro blob name
	.section .rodata.guest_blobs, "a", %progbits
	.balign	16
1:	.incbin	"\name\().elf"
2:	.byte	0 /* so that the end's address is still inside this section */
3:	.asciz	"\name"

	.section .data.rel.ro.guest_blobs, "aw", %progbits
	.quad	3b, 1b, 2b
	.endm

	.section .data.rel.ro.guest_blobs, "aw", %progbits
	.balign	8
	.hidden	guest_blobs
	.globl	guest_blobs
	.type	guest_blobs, %object
guest_blobs:
	.irp	name, GUESTS
	blob	\name
	.endr
guest_blobs_end:
	.size	guest_blobs, . - guest_blobs

	.section .rodata.guest_blobs, "a", %progbits
	.balign	8
	.hidden	guest_blob_count
	.globl	guest_blob_count
	.type	guest_blob_count, %object
guest_blob_count:
	.quad	(guest_blobs_end - guest_blobs) / 24
	.size	guest_blob_count, 8

	.section .note.GNU-stack, "", %progbits
