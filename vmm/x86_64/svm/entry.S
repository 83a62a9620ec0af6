/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVM's world switch: general registers only. What is done about speculation is done between VMs: speculation.c.
 *
 * VMRUN and #VMEXIT switch RIP, RSP, RAX, RFLAGS, the control registers, CS, SS, DS, ES, GDTR and IDTR. FS, GS, TR, LDTR and the
 * system-call MSRs are ours to switch (AMD APM vol. 2 "VMSAVE and VMLOAD Instructions"). They stay the guest's from one slow path to
 * the next, by VMLOAD and VMSAVE: the fast path uses none of them, and hypervisors below us may emulate these two at great cost.
 * While TR is the guest's, no trap may switch stacks, for it would read the new stack's address out of the guest's TSS: so the IDT
 * is one without IST stacks then, svm_idts.in_guest. Without a change of privilege or an IST stack, delivery does not look at the TSS
 * (vol. 2 "Interrupt-Stack Table").
 *
 * The host's IF at VMRUN says whether the machine's interrupts end the guest (vol. 2 "Virtualizing APIC.TPR and EFLAGS.IF"), so
 * it is set, and GIF clear lest one is taken here, from one slow path to the next: so the fast path need not touch either. What
 * comes meanwhile, NMIs too, is held until then; an interrupt ends the guest right after VMRUN, whatever the guest's IF.
 */
#include "vmm/x86_64/offsets.h"

#define IDT_POINTER_BYTES 10

	.text

/*
 * void svm_run(struct vcpu *vcpu): run the guest. What a function may change of the general registers is put in the vCPU at
 * each exit; the others stay where they are, until svm_exit leaves something to do and vm_handle_exit is to see all.
 *
 * The stack from RSP up: the vCPU; what the caller's are.
 */
	.globl	svm_run
	.hidden	svm_run
	.type	svm_run, @function
svm_run:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi

enter_all: /* RDI is the vCPU */
	clgi
	sti
	lidt	svm_idts(%rip)
	movq	VCPU_SVM_VMCB_PA(%rdi), %rax
	vmload	%rax
	movq	VCPU_RBX(%rdi), %rbx
	movq	VCPU_RBP(%rdi), %rbp
	movq	VCPU_R12(%rdi), %r12
	movq	VCPU_R13(%rdi), %r13
	movq	VCPU_R14(%rdi), %r14
	movq	VCPU_R15(%rdi), %r15
enter:
	movq	VCPU_SVM_VMCB_PA(%rdi), %rax
	movq	VCPU_RCX(%rdi), %rcx
	movq	VCPU_RDX(%rdi), %rdx
	movq	VCPU_RSI(%rdi), %rsi
	movq	VCPU_R8(%rdi), %r8
	movq	VCPU_R9(%rdi), %r9
	movq	VCPU_R10(%rdi), %r10
	movq	VCPU_R11(%rdi), %r11
	movq	VCPU_RDI(%rdi), %rdi

	vmrun	%rax

	/* RAX is again what it was at VMRUN, GIF is clear, the guest's RAX is in the VMCB. */
	movq	(%rsp), %rax
	movq	%rcx, VCPU_RCX(%rax)
	movq	%rdx, VCPU_RDX(%rax)
	movq	%rsi, VCPU_RSI(%rax)
	movq	%rdi, VCPU_RDI(%rax)
	movq	%r8, VCPU_R8(%rax)
	movq	%r9, VCPU_R9(%rax)
	movq	%r10, VCPU_R10(%rax)
	movq	%r11, VCPU_R11(%rax)
	movq	%rax, %rdi

	call	svm_exit
	movq	(%rsp), %rdi
	testl	%eax, %eax
	je	enter

	cli
	stgi
	cmpl	$LEFT_INTERRUPTED, %eax
	je	interrupted
handle:
	movl	%eax, %esi
	movq	VCPU_SVM_VMCB_PA(%rdi), %rax
	vmsave	%rax
	movq	VCPU_SVM_HOST_VMCB_PA(%rdi), %rax
	vmload	%rax
	lidt	svm_idts + IDT_POINTER_BYTES(%rip)
	movq	%rbx, VCPU_RBX(%rdi)
	movq	%rbp, VCPU_RBP(%rdi)
	movq	%r12, VCPU_R12(%rdi)
	movq	%r13, VCPU_R13(%rdi)
	movq	%r14, VCPU_R14(%rdi)
	movq	%r15, VCPU_R15(%rdi)
	cmpl	$LEFT_WAITS, %esi
	je	leave
	call	vm_handle_exit
	movq	(%rsp), %rdi
	testb	%al, %al
	jne	enter_all

leave:
	popq	%rdi
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

interrupted:
	call	vm_take_interrupts
	movq	(%rsp), %rdi
	testl	%eax, %eax
	jne	attend
go_on:
	clgi
	sti
	jmp	enter

attend: /* what has interrupted the guest may have been for it */
	movl	%eax, %esi
	call	svm_attend
	movq	(%rsp), %rdi
	testl	%eax, %eax
	je	go_on
	jmp	handle
	.size	svm_run, . - svm_run

	.section .note.GNU-stack, "", @progbits
