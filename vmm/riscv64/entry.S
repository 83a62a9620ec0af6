/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world switch: general registers and the program counter. All other state of the guest's stays where it is: see
 * struct vcpu_arch.
 *
 * One trap vector serves guest and host. sscratch tells them apart: it holds the vCPU while the guest runs and 0 while
 * the hypervisor does.
 */
#include "include/arch/riscv64/csr.h"
#include "vmm/riscv64/offsets.h"

	.text

	.macro for_callee_saved op
	\op	ra, 0(sp)
	\op	s0, 8(sp)
	\op	s1, 16(sp)
	\op	s2, 24(sp)
	\op	s3, 32(sp)
	\op	s4, 40(sp)
	\op	s5, 48(sp)
	\op	s6, 56(sp)
	\op	s7, 64(sp)
	\op	s8, 72(sp)
	\op	s9, 80(sp)
	\op	s10, 88(sp)
	\op	s11, 96(sp)
	.endm

	/* What a function may change, and sp; but for a0, which points to the vCPU. */
	.macro for_guest op
	\op	x1, VCPU_GPR(1)(a0)
	\op	x2, VCPU_GPR(2)(a0)
	\op	x5, VCPU_GPR(5)(a0)
	\op	x6, VCPU_GPR(6)(a0)
	\op	x7, VCPU_GPR(7)(a0)
	\op	x11, VCPU_GPR(11)(a0)
	\op	x12, VCPU_GPR(12)(a0)
	\op	x13, VCPU_GPR(13)(a0)
	\op	x14, VCPU_GPR(14)(a0)
	\op	x15, VCPU_GPR(15)(a0)
	\op	x16, VCPU_GPR(16)(a0)
	\op	x17, VCPU_GPR(17)(a0)
	\op	x28, VCPU_GPR(28)(a0)
	\op	x29, VCPU_GPR(29)(a0)
	\op	x30, VCPU_GPR(30)(a0)
	\op	x31, VCPU_GPR(31)(a0)
	.endm

	/* The others. Nobody here uses gp and tp: the image is linked without relaxation, and there are no threads. */
	.macro for_guest_preserved op
	\op	x3, VCPU_GPR(3)(a0)
	\op	x4, VCPU_GPR(4)(a0)
	\op	x8, VCPU_GPR(8)(a0)
	\op	x9, VCPU_GPR(9)(a0)
	\op	x18, VCPU_GPR(18)(a0)
	\op	x19, VCPU_GPR(19)(a0)
	\op	x20, VCPU_GPR(20)(a0)
	\op	x21, VCPU_GPR(21)(a0)
	\op	x22, VCPU_GPR(22)(a0)
	\op	x23, VCPU_GPR(23)(a0)
	\op	x24, VCPU_GPR(24)(a0)
	\op	x25, VCPU_GPR(25)(a0)
	\op	x26, VCPU_GPR(26)(a0)
	\op	x27, VCPU_GPR(27)(a0)
	.endm

/*
 * void arch_vcpu_run(struct vcpu *vcpu): run the guest. What a function may change of the general registers is put in the
 * vCPU at each exit; the others and the program counter stay where they are, until vcpu_exit leaves something to
 * do and vm_handle_exit is to see all.
 *
 * The frame: what a function may not change; the vCPU.
 */
#define FRAME_VCPU 104
#define FRAME_SIZE 112

	.globl	arch_vcpu_run
	.hidden	arch_vcpu_run
	.type	arch_vcpu_run, @function
arch_vcpu_run:
	addi	sp, sp, -FRAME_SIZE
	for_callee_saved sd
	sd	a0, FRAME_VCPU(sp)
	sd	sp, VCPU_HOST_SP(a0)
	j	enter_all
	.size	arch_vcpu_run, . - arch_vcpu_run

/* The trap vector. */
	.globl	guest_exit
	.hidden	guest_exit
	.type	guest_exit, @function
	.balign	4
guest_exit:
	csrrw	a0, CSR_SSCRATCH, a0
	beqz	a0, host_trap
	for_guest sd
	csrrw	t0, CSR_SSCRATCH, zero
	sd	t0, VCPU_GPR(10)(a0)
	ld	sp, VCPU_HOST_SP(a0)
	jal	vcpu_exit
	bnez	a0, slow_path
	ld	a0, FRAME_VCPU(sp)

enter:	/* a0 is the vCPU */
	csrw	CSR_SSCRATCH, a0
	/* From here to sret nothing may trap: the trap would be taken for the guest's. */
	for_guest ld
	ld	a0, VCPU_GPR(10)(a0)
	sret

slow_path:
	mv	a1, a0
	ld	a0, FRAME_VCPU(sp)
	addi	t0, a1, -LEFT_INTERRUPTED
	beqz	t0, interrupted
save_all:
	csrr	t0, CSR_SEPC
	sd	t0, VCPU_PC(a0)
	for_guest_preserved sd
	call	vm_handle_exit
	mv	t0, a0
	ld	a0, FRAME_VCPU(sp)
	beqz	t0, leave
enter_all:
	ld	t0, VCPU_PC(a0)
	csrw	CSR_SEPC, t0
	for_guest_preserved ld
	j	enter

interrupted:
	call	vm_take_interrupts
	mv	a1, a0
	ld	a0, FRAME_VCPU(sp)
	beqz	a1, enter
	call	vcpu_interrupted
	mv	a1, a0
	ld	a0, FRAME_VCPU(sp)
	beqz	a1, enter
	j	save_all

leave:
	for_callee_saved ld
	addi	sp, sp, FRAME_SIZE
	ret

host_trap:
	csrrw	a0, CSR_SSCRATCH, a0
	tail	trap_entry
	.size	guest_exit, . - guest_exit

	.section .note.GNU-stack, "", @progbits
