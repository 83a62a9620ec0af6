/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EL2's vectors: exits of the guest go to the world switch (vmm/aarch64/entry.S), everything else is a trap of our own,
 * which is reported and ends the run. Arm ARM (DDI 0487), "Exception vectors".
 *
 * A trap may come because the stack is used up, so none is touched here: the registers go to the CPU's next frame, which lies at
 * the top of a stack of its own, and C gets that stack. The next trap, if the report itself traps, finds the frame after that.
 */
#include "boot/aarch64/trap_frame.h"
#include "vmm/aarch64/offsets.h"

	/* Sources whose exceptions come with our own registers; the vector's number tells which. */
	.macro trap_vector number
	.balign	0x80
	msr	cnthp_cval_el2, x0	/* 64 bits that nobody needs any more */
	mrs	x0, tpidr_el2
	ldr	x0, [x0, #VCPU_CPU + 8]	/* struct cpu_arch */
	ldr	x0, [x0, #CPU_ARCH_TRAP_NEXT]
	cbz	x0, trap_hopeless
	str	x1, [x0, #TRAP_X1]
	mov	x1, #\number
	b	trap_common
	.endm

	.macro exit_vector entry
	.balign	0x80
	b	\entry
	.endm

	.section .text.trap_vectors, "ax", %progbits
	.balign	0x800
	.globl	trap_vectors
	.hidden	trap_vectors
	.type	trap_vectors, %function
trap_vectors:
	/* From EL2 on SP_EL0, which the hypervisor never uses: synchronous, IRQ, FIQ, SError. */
	trap_vector 0
	trap_vector 1
	trap_vector 2
	trap_vector 3
	/* From EL2 on SP_EL2. */
	trap_vector 4
	trap_vector 5
	trap_vector 6
	trap_vector 7
	/* From a guest at AArch64. */
	exit_vector guest_exit_sync
	exit_vector guest_exit_irq
	exit_vector guest_exit_fiq
	exit_vector guest_exit_serror
	/* From a guest's EL0 at AArch32. */
	exit_vector guest_exit_sync
	exit_vector guest_exit_irq
	exit_vector guest_exit_fiq
	exit_vector guest_exit_serror
	.balign	0x80
	.size	trap_vectors, . - trap_vectors

/* x0: frame, x1: vector; x0's value is in CNTHP_CVAL_EL2, x1's in the frame. */
trap_common:
	str	x1, [x0, #TRAP_VECTOR]
	stp	x2, x3, [x0, #TRAP_X2]
	stp	x4, x5, [x0, #TRAP_X2 + 16]
	stp	x6, x7, [x0, #TRAP_X2 + 32]
	stp	x8, x9, [x0, #TRAP_X2 + 48]
	stp	x10, x11, [x0, #TRAP_X2 + 64]
	stp	x12, x13, [x0, #TRAP_X2 + 80]
	stp	x14, x15, [x0, #TRAP_X2 + 96]
	stp	x16, x17, [x0, #TRAP_X2 + 112]
	stp	x18, x19, [x0, #TRAP_X2 + 128]
	stp	x20, x21, [x0, #TRAP_X2 + 144]
	stp	x22, x23, [x0, #TRAP_X2 + 160]
	stp	x24, x25, [x0, #TRAP_X2 + 176]
	stp	x26, x27, [x0, #TRAP_X2 + 192]
	stp	x28, x29, [x0, #TRAP_X2 + 208]
	mrs	x1, cnthp_cval_el2
	mov	x2, sp
	str	x1, [x0]
	stp	x30, x2, [x0, #TRAP_X30]
	mrs	x1, elr_el2
	mrs	x2, spsr_el2
	stp	x1, x2, [x0, #TRAP_ELR]
	mrs	x1, esr_el2
	mrs	x2, far_el2
	stp	x1, x2, [x0, #TRAP_ESR]

	ldr	x2, [x0, #TRAP_NEXT]
	mrs	x3, tpidr_el2
	ldr	x3, [x3, #VCPU_CPU + 8]
	str	x2, [x3, #CPU_ARCH_TRAP_NEXT]
	mov	sp, x0
	mov	x29, xzr
	mov	x30, xzr
	b	trap_handle

/* A trap in the report of a trap, again and again: nothing is left to report it with. */
trap_hopeless:
	wfi
	b	trap_hopeless

	.section .note.GNU-stack, "", %progbits
