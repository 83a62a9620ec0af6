/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world switch: general registers, program counter and PSTATE. Everything else of the guest's stays in place (see
 * struct vcpu_arch). TPIDR_EL2 holds the vCPU from arch_vcpu_run on until that returns. Speculation barriers between guest and host
 * are not done.
 */
#include "vmm/aarch64/offsets.h"

	.text

/*
 * void arch_vcpu_run(struct vcpu *vcpu): run the guest. What a function may change of the general registers is put in the
 * vCPU at each exit; the others, the program counter and PSTATE stay where they are, until vcpu_exit leaves something to
 * do and vm_handle_exit is to see all.
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
	mrs	x1, tpidr_el2		/* the CPU: see struct cpu_arch */
	ldp	x2, x3, [x1, #VCPU_CPU]
	stp	x2, x3, [x0, #VCPU_CPU]
	msr	tpidr_el2, x0
	b	enter_all
	.size	arch_vcpu_run, . - arch_vcpu_run

/* From the vectors (boot/aarch64/trap_entry.S), with SP as arch_vcpu_run left it. */
	.macro guest_exit name, reason
	.globl	\name
	.hidden	\name
	.type	\name, %function
\name:
	stp	x0, x1, [sp, #-16]!
	mov	x1, #\reason
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
	mov	x1, #GUEST_EXIT_SYNC
guest_exit:
	mrs	x0, tpidr_el2
	stp	x2, x3, [x0, #VCPU_X(2)]
	stp	x4, x5, [x0, #VCPU_X(4)]
	stp	x6, x7, [x0, #VCPU_X(6)]
	stp	x8, x9, [x0, #VCPU_X(8)]
	stp	x10, x11, [x0, #VCPU_X(10)]
	stp	x12, x13, [x0, #VCPU_X(12)]
	stp	x14, x15, [x0, #VCPU_X(14)]
	stp	x16, x17, [x0, #VCPU_X(16)]
	str	x18, [x0, #VCPU_X(18)]
	str	x30, [x0, #VCPU_X(30)]
	ldp	x4, x5, [sp], #16
	stp	x4, x5, [x0, #VCPU_X(0)]
	bl	vcpu_exit
	cbnz	w0, slow_path
	mrs	x0, tpidr_el2

enter:	/* x0 is the vCPU */
	ldp	x2, x3, [x0, #VCPU_X(2)]
	ldp	x4, x5, [x0, #VCPU_X(4)]
	ldp	x6, x7, [x0, #VCPU_X(6)]
	ldp	x8, x9, [x0, #VCPU_X(8)]
	ldp	x10, x11, [x0, #VCPU_X(10)]
	ldp	x12, x13, [x0, #VCPU_X(12)]
	ldp	x14, x15, [x0, #VCPU_X(14)]
	ldp	x16, x17, [x0, #VCPU_X(16)]
	ldr	x18, [x0, #VCPU_X(18)]
	ldr	x30, [x0, #VCPU_X(30)]
	ldp	x0, x1, [x0, #VCPU_X(0)]
	/* Stage 2 entries just written are seen by the walks the guest causes. ERET synchronises the rest. */
	dsb	ishst
	eret

slow_path:
	mov	w1, w0
	mrs	x0, tpidr_el2
	cmp	w1, #LEFT_INTERRUPTED
	b.eq	interrupted
	ldr	x2, [x0, #VCPU_ESR]
	ubfx	x2, x2, #26, #6
	cmp	x2, #EC_OF_SYSREG
	b.ne	save_all
	str	x1, [sp, #-16]!
	bl	vcpu_exit_sysreg
	ldr	x1, [sp], #16
	tst	w0, #0xff
	mrs	x0, tpidr_el2
	b.ne	enter
save_all:
	stp	x19, x20, [x0, #VCPU_X(19)]
	stp	x21, x22, [x0, #VCPU_X(21)]
	stp	x23, x24, [x0, #VCPU_X(23)]
	stp	x25, x26, [x0, #VCPU_X(25)]
	stp	x27, x28, [x0, #VCPU_X(27)]
	str	x29, [x0, #VCPU_X(29)]
	mrs	x4, elr_el2
	mrs	x5, spsr_el2
	stp	x4, x5, [x0, #VCPU_PC]
	bl	vm_handle_exit
	tst	w0, #0xff
	mrs	x0, tpidr_el2
	b.eq	leave
enter_all:
	ldp	x2, x3, [x0, #VCPU_PC]
	msr	elr_el2, x2
	msr	spsr_el2, x3
	ldp	x19, x20, [x0, #VCPU_X(19)]
	ldp	x21, x22, [x0, #VCPU_X(21)]
	ldp	x23, x24, [x0, #VCPU_X(23)]
	ldp	x25, x26, [x0, #VCPU_X(25)]
	ldp	x27, x28, [x0, #VCPU_X(27)]
	ldr	x29, [x0, #VCPU_X(29)]
	b	enter

interrupted:
	bl	vm_take_interrupts
	mov	w1, w0
	mrs	x0, tpidr_el2
	cbz	w1, enter
	b	save_all

leave:
	ldr	x1, [x0, #VCPU_CPU + 8]
	sub	x1, x1, #VCPU_CPU
	msr	tpidr_el2, x1
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #FRAME_SIZE
	ret
	.size	guest_exit_sync, . - guest_exit_sync

	.section .note.GNU-stack, "", %progbits
