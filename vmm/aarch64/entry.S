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

/* From the vectors (boot/aarch64/trap_entry.S), with SP as arch_vcpu_run left it. Leaves the vCPU in x0. */
	.macro save_for_c
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
	.endm

	/* What a function does not change. x0 is the vCPU. */
	.macro save_others
	stp	x19, x20, [x0, #VCPU_X(19)]
	stp	x21, x22, [x0, #VCPU_X(21)]
	stp	x23, x24, [x0, #VCPU_X(23)]
	stp	x25, x26, [x0, #VCPU_X(25)]
	stp	x27, x28, [x0, #VCPU_X(27)]
	str	x29, [x0, #VCPU_X(29)]
	.endm
	.macro load_others
	ldp	x19, x20, [x0, #VCPU_X(19)]
	ldp	x21, x22, [x0, #VCPU_X(21)]
	ldp	x23, x24, [x0, #VCPU_X(23)]
	ldp	x25, x26, [x0, #VCPU_X(25)]
	ldp	x27, x28, [x0, #VCPU_X(27)]
	ldr	x29, [x0, #VCPU_X(29)]
	.endm

	.macro guest_exit name, reason
	.globl	\name
	.hidden	\name
	.type	\name, %function
\name:
	stp	x0, x1, [sp, #-16]!
	mov	x1, #\reason
	b	interrupted
	.size	\name, . - \name
	.endm

	guest_exit guest_exit_irq, GUEST_EXIT_IRQ
	guest_exit guest_exit_fiq, GUEST_EXIT_FIQ
	guest_exit guest_exit_serror, GUEST_EXIT_SERROR

interrupted:
	save_for_c
	bl	vcpu_exit_interrupt
	mov	w1, w0
	mrs	x0, tpidr_el2
	cbz	w1, enter
	b	save_all

	.globl	guest_exit_sync
	.hidden	guest_exit_sync
	.type	guest_exit_sync, %function
guest_exit_sync:
	stp	x0, x1, [sp, #-16]!
	mrs	x1, esr_el2
	tbz	w1, #(ESR_EC_AT + ESR_EC_BITS - 1), no_abort
	save_for_c
	mrs	x3, hpfar_el2
	mrs	x2, far_el2
	lsr	x4, x3, #(RAM_BASE_BIT - HPFAR_SHIFT)
	cbz	x4, below_ram
	bl	vcpu_exit_abort
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

/* Perhaps a device's: it may be asked for any register, and give any. */
below_ram:
	save_others
	bl	vcpu_exit_device
	mov	w1, w0
	mrs	x0, tpidr_el2
	cbz	w1, enter
	cmp	w1, #LEFT_LOADED
	b.ne	save_all
	load_others
	b	enter

no_abort:
	ubfx	x0, x1, #ESR_EC_AT, #ESR_EC_BITS
	cmp	x0, #EC_OF_SYSREG
	b.eq	sysreg
to_c:
	save_for_c
	bl	vcpu_exit
	cbnz	w0, slow_path
	mrs	x0, tpidr_el2
	b	enter

slow_path:
	mov	w1, w0
	mrs	x0, tpidr_el2
save_all:
	save_others
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
	load_others
	b	enter

/*
 * A read of an identification register, of which kernels do very many: it takes what it says from a table (id.c), and is counted and
 * recorded as any other exit. All else that traps as a system register goes the way of other exits. x1 is ESR_EL2; x0 to x5 are saved
 * on the stack. In the syndrome: Op0 3, Op1 0, CRn 0, CRm 1 to 7, a read ("ISS encoding for an exception from MSR, MRS").
 */
#define ID_READ_MASK (3 << 20 | 7 << 14 | 15 << 10 | 8 << 1 | 1)
#define ID_READ      (3 << 20 | 1)

	.macro to_register number
	.if	\number < 6
	str	x3, [sp, #16 * (2 - \number / 2) + 8 * (\number % 2)]
	.elseif	\number < 31
	mov	x\number, x3
	.else
	nop
	.endif
	b	id_read_done
	.endm

sysreg:
	stp	x2, x3, [sp, #-16]!
	stp	x4, x5, [sp, #-16]!
	mov	w2, #(ID_READ_MASK & 0xffff)
	movk	w2, #(ID_READ_MASK >> 16), lsl #16
	mov	w3, #(ID_READ & 0xffff)
	movk	w3, #(ID_READ >> 16), lsl #16
	and	w2, w1, w2
	cmp	w2, w3
	b.ne	no_id_read
	mrs	x0, tpidr_el2
	ldrb	w2, [x0, #VCPU_FAST]
	ldr	x3, [x0, #VCPU_IDS]
	cbz	w2, no_id_read
	ubfx	w2, w1, #1, #3		/* CRm */
	add	x3, x3, x2, lsl #6
	ubfx	w2, w1, #17, #3		/* Op2 */
	ldr	x3, [x3, x2, lsl #3]
	cmn	x3, #1			/* NO_ID */
	b.eq	no_id_read

	ldr	x2, [x0, #VCPU_EXITS_TOTAL]
	ldr	x4, [x0, #VCPU_EXITS_OTHER]
	ubfiz	x5, x2, #EXIT_SHIFT, #EXIT_RING_BITS
	add	x2, x2, #1
	add	x4, x4, #1
	add	x5, x5, x0
	str	x2, [x0, #VCPU_EXITS_TOTAL]
	str	x4, [x0, #VCPU_EXITS_OTHER]
	mrs	x2, elr_el2
	add	x5, x5, #VCPU_RING
	mov	w4, #EXIT_KIND_ARCH
	stp	x1, x2, [x5, #EXIT_REASON]
	strh	w4, [x5]
	mrs	x4, spsr_el2
	add	x2, x2, #4
	and	x4, x4, #~(3 << 10)	/* BTYPE */
	msr	elr_el2, x2
	and	x4, x4, #~(1 << 21)	/* SS */
	msr	spsr_el2, x4

	ubfx	w1, w1, #5, #5		/* Rt */
	adr	x2, id_read_to
	add	x2, x2, x1, lsl #3
	br	x2
id_read_to:
	.irp	number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	to_register \number
	.endr
id_read_done:
	ldp	x4, x5, [sp], #16
	ldp	x2, x3, [sp], #16
	ldp	x0, x1, [sp], #16
	eret

no_id_read:
	ldp	x4, x5, [sp], #16
	ldp	x2, x3, [sp], #16
	b	to_c

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
