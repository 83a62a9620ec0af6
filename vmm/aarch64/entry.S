/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world switch: general registers, program counter and PSTATE. Everything else of the guest's stays in place (see
 * struct vcpu_arch). TPIDR_EL2 holds the vCPU while its guest runs. Speculation barriers between guest and host are
 * not done.
 */
#include "vmm/aarch64/offsets.h"

	.text

/*
 * void arch_vcpu_run(struct vcpu *vcpu): run the guest; vcpu_exit says of each exit whether to go on. The guest's registers
 * are in the vCPU by then, so what it does with ours needs no saving.
 *
 * The frame holds what a function may not change; below it two registers are put on the way out.
 */
#define FRAME_SIZE 96

	.globl	arch_vcpu_run
	.hidden	arch_vcpu_run
	.type	arch_vcpu_run, %function
arch_vcpu_run:
	stp	x29, x30, [sp, #-FRAME_SIZE]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	msr	tpidr_el2, x0

enter:	/* x0 is the vCPU */
	ldp	x2, x3, [x0, #VCPU_PC]
	msr	elr_el2, x2
	msr	spsr_el2, x3
	ldp	x2, x3, [x0, #VCPU_X(2)]
	ldp	x4, x5, [x0, #VCPU_X(4)]
	ldp	x6, x7, [x0, #VCPU_X(6)]
	ldp	x8, x9, [x0, #VCPU_X(8)]
	ldp	x10, x11, [x0, #VCPU_X(10)]
	ldp	x12, x13, [x0, #VCPU_X(12)]
	ldp	x14, x15, [x0, #VCPU_X(14)]
	ldp	x16, x17, [x0, #VCPU_X(16)]
	ldp	x18, x19, [x0, #VCPU_X(18)]
	ldp	x20, x21, [x0, #VCPU_X(20)]
	ldp	x22, x23, [x0, #VCPU_X(22)]
	ldp	x24, x25, [x0, #VCPU_X(24)]
	ldp	x26, x27, [x0, #VCPU_X(26)]
	ldp	x28, x29, [x0, #VCPU_X(28)]
	ldr	x30, [x0, #VCPU_X(30)]
	ldp	x0, x1, [x0, #VCPU_X(0)]
	/* Stage 2 entries just written are seen by the walks the guest causes. ERET synchronises the rest. */
	dsb	ishst
	eret

/* From the vectors (boot/aarch64/trap_entry.S), with SP as arch_vcpu_run left it. */
	.macro guest_exit name, reason
	.globl	\name
	.hidden	\name
	.type	\name, %function
\name:
	stp	x0, x1, [sp, #-16]!
	mrs	x0, tpidr_el2
	stp	x2, x3, [x0, #VCPU_X(2)]
	mov	x2, #\reason
	b	guest_exit
	.size	\name, . - \name
	.endm

	guest_exit guest_exit_irq, GUEST_EXIT_IRQ
	guest_exit guest_exit_fiq, GUEST_EXIT_FIQ
	guest_exit guest_exit_serror, GUEST_EXIT_SERROR

	.globl	guest_exit_sync
	.hidden	guest_exit_sync
	.type	guest_exit_sync, %function
guest_exit_sync:
	stp	x0, x1, [sp, #-16]!
	mrs	x0, tpidr_el2
	stp	x2, x3, [x0, #VCPU_X(2)]
	mov	x2, #GUEST_EXIT_SYNC
guest_exit:
	stp	x4, x5, [x0, #VCPU_X(4)]
	stp	x6, x7, [x0, #VCPU_X(6)]
	stp	x8, x9, [x0, #VCPU_X(8)]
	stp	x10, x11, [x0, #VCPU_X(10)]
	stp	x12, x13, [x0, #VCPU_X(12)]
	stp	x14, x15, [x0, #VCPU_X(14)]
	stp	x16, x17, [x0, #VCPU_X(16)]
	stp	x18, x19, [x0, #VCPU_X(18)]
	stp	x20, x21, [x0, #VCPU_X(20)]
	stp	x22, x23, [x0, #VCPU_X(22)]
	stp	x24, x25, [x0, #VCPU_X(24)]
	stp	x26, x27, [x0, #VCPU_X(26)]
	stp	x28, x29, [x0, #VCPU_X(28)]
	str	x30, [x0, #VCPU_X(30)]
	ldp	x4, x5, [sp], #16
	stp	x4, x5, [x0, #VCPU_X(0)]
	mrs	x4, elr_el2
	mrs	x5, spsr_el2
	stp	x4, x5, [x0, #VCPU_PC]

	mov	x1, x2
	bl	vcpu_exit
	tst	w0, #0xff
	mrs	x0, tpidr_el2
	b.ne	enter

	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #FRAME_SIZE
	ret
	.size	guest_exit_sync, . - guest_exit_sync
	.size	arch_vcpu_run, . - arch_vcpu_run

	.section .note.GNU-stack, "", %progbits
