/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX's world switch: general registers only. What is done about speculation is done between VMs: speculation.c.
 *
 * VM entries and exits switch all else through the VMCS, but for CR2, DR0 to DR3, DR6 and the system-call MSRs, which
 * stay the guest's while its vCPU is in the CPU: the hypervisor uses none of them.
 */
#include "vmm/x86_64/offsets.h"

#define VMCS_HOST_RSP 0x6c14

	.text

/*
 * void vmx_run(struct vcpu *vcpu): run the guest. What a function may change of the general registers is put in the vCPU at
 * each exit; the others stay where they are, until vmx_exit leaves something to do and vm_handle_exit is to see all.
 *
 * The stack from RSP up: the vCPU; what the caller's are.
 */
	.globl	vmx_run
	.hidden	vmx_run
	.type	vmx_run, @function
vmx_run:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi

	/* The vCPU's VMCS is the current one: arch_vcpu_get. */
	call	vmx_timer_start
	movq	(%rsp), %rdi
	movl	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax

enter_all: /* RDI is the vCPU */
	cmpb	$0, vmx_deaf(%rip)
	jne	look
enter_heard:
	movq	VCPU_RBX(%rdi), %rbx
	movq	VCPU_RBP(%rdi), %rbp
	movq	VCPU_R12(%rdi), %r12
	movq	VCPU_R13(%rdi), %r13
	movq	VCPU_R14(%rdi), %r14
	movq	VCPU_R15(%rdi), %r15
	cmpb	$0, VCPU_VMX_LAUNCHED(%rdi)
	je	launch
enter:
	movq	VCPU_RAX(%rdi), %rax
	movq	VCPU_RCX(%rdi), %rcx
	movq	VCPU_RDX(%rdi), %rdx
	movq	VCPU_RSI(%rdi), %rsi
	movq	VCPU_R8(%rdi), %r8
	movq	VCPU_R9(%rdi), %r9
	movq	VCPU_R10(%rdi), %r10
	movq	VCPU_R11(%rdi), %r11
	movq	VCPU_RDI(%rdi), %rdi
	vmresume

	/* VMfail: the host's state is as before, the general registers are the guest's. */
not_entered:
	movq	(%rsp), %rdi
	call	vmx_refused
	movq	(%rsp), %rdi
	jmp	handle

	/* HOST_RIP: the stack is as at the entry, all general registers but RSP are the guest's. */
	.globl	vmx_exit_point
	.hidden	vmx_exit_point
vmx_exit_point:
	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rax, VCPU_RAX(%rdi)
	movq	%rcx, VCPU_RCX(%rdi)
	movq	%rdx, VCPU_RDX(%rdi)
	movq	%rsi, VCPU_RSI(%rdi)
	movq	%r8, VCPU_R8(%rdi)
	movq	%r9, VCPU_R9(%rdi)
	movq	%r10, VCPU_R10(%rdi)
	movq	%r11, VCPU_R11(%rdi)
	popq	VCPU_RDI(%rdi)

	call	vmx_exit
	movq	(%rsp), %rdi
	testl	%eax, %eax
	je	enter
	cmpl	$LEFT_INTERRUPTED, %eax
	je	interrupted

handle:
	movl	%eax, %esi
	movq	%rbx, VCPU_RBX(%rdi)
	movq	%rbp, VCPU_RBP(%rdi)
	movq	%r12, VCPU_R12(%rdi)
	movq	%r13, VCPU_R13(%rdi)
	movq	%r14, VCPU_R14(%rdi)
	movq	%r15, VCPU_R15(%rdi)
	call	vm_handle_exit
	movq	(%rsp), %rdi
	testb	%al, %al
	jne	enter_all

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
	jne	handle
	cmpb	$0, vmx_deaf(%rip)
	je	enter
	call	vmx_look_before_entry
	movq	(%rsp), %rdi
	jmp	enter

	/* A CPU that interrupts do not reach in the guest. */
look:
	call	vmx_look_before_entry
	movq	(%rsp), %rdi
	jmp	enter_heard

	/* A first entry. */
launch:
	movb	$1, VCPU_VMX_LAUNCHED(%rdi)
	movq	VCPU_RAX(%rdi), %rax
	movq	VCPU_RCX(%rdi), %rcx
	movq	VCPU_RDX(%rdi), %rdx
	movq	VCPU_RSI(%rdi), %rsi
	movq	VCPU_R8(%rdi), %r8
	movq	VCPU_R9(%rdi), %r9
	movq	VCPU_R10(%rdi), %r10
	movq	VCPU_R11(%rdi), %r11
	movq	VCPU_RDI(%rdi), %rdi
	vmlaunch
	jmp	not_entered
	.size	vmx_run, . - vmx_run

	.section .note.GNU-stack, "", @progbits
