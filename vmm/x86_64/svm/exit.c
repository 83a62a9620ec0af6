/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM: an exit decoded, and what the guest gets for it. AMD APM vol. 2 "SVM Intercept Exit Codes". */
#include "vmm/x86_64/svm/svm.h"

#include "include/panic.h"
#include "vmm/post_mortem.h"
#include "vmm/serve.h"
#include "vmm/x86_64/emulate.h"

/* What was being delivered: AMD APM vol. 2 "EXITINTINFO". INT3 and INTO have the type of an exception. */
static enum event_kind event_kind(uint64_t event)
{
	switch (EVENT_TYPE(event)) {
	case EVENT_SOFTWARE:
		return EVENT_BY_INSTRUCTION;
	case EVENT_EXCEPTION:
		return EVENT_VECTOR(event) == VECTOR_BP || EVENT_VECTOR(event) == VECTOR_OF ? EVENT_BY_INSTRUCTION :
											      EVENT_BY_HARDWARE;
	default:
		return EVENT_OUTSIDE;
	}
}

/*
 * An exit in the middle of delivering an event: deliver it when the guest goes on. What an instruction raised by
 * design (INT n, INT3, INTO) comes back when that instruction runs again, so it must not be injected as well.
 */
static __attribute__((cold, noinline)) void reinject(struct vmcb *vmcb)
{
	if (event_kind(vmcb->exitintinfo) != EVENT_BY_INSTRUCTION)
		vmcb->event_inj = vmcb->exitintinfo;
}

static _Noreturn __attribute__((cold, noinline)) void nested_entry_malformed(struct vcpu *vcpu, gpa_t gpa)
{
	post_mortem_walk(&vcpu->vm->as.npt, gpa);
	panic("svm: reserved bit set in a nested entry for gpa %#lx", gpa.raw);
}

static void decode_fault(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t info = vmcb->exitinfo1;

	if (info & PF_RESERVED)
		nested_entry_malformed(vcpu, GPA(vmcb->exitinfo2));
	exit->fault = (struct npt_fault){
		.gpa = GPA(vmcb->exitinfo2),
		.access = info & PF_WRITE ? NPT_W : info & PF_FETCH ? NPT_X : NPT_R,
		.present = info & PF_PRESENT,
		.on_guest_walk = info & NPF_GUEST_WALK,
	};
	if (vmcb->exitintinfo & EVENT_VALID)
		reinject(vmcb);
}

static void decode_hypercall(const struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->arch.gpr;

	svm_advance(vmcb, 3);
	exit->hypercall.number = vmcb->rax;
	exit->hypercall.arg[0] = gpr[RDI];
	exit->hypercall.arg[1] = gpr[RSI];
	exit->hypercall.arg[2] = gpr[RDX];
	exit->hypercall.arg[3] = gpr[RCX];
}

static void decode_io(const struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t info = vmcb->exitinfo1;
	unsigned size = IOIO_SIZE(info);

	if (info & IOIO_STRING) {
		exit->kind = VM_EXIT_ARCH;
		return;
	}
	exit->kind = VM_EXIT_IO;
	exit->io = (struct io_access){
		.space = IO_PORT,
		.size = (uint8_t)size,
		.write = !(info & IOIO_IN),
		.addr = IOIO_PORT(info),
		.value = info & IOIO_IN ? 0 : io_operand(vmcb->rax, size),
	};
}

static void finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	vcpu->arch.svm.vmcb->rax = result;
}

unsigned svm_exit(struct vcpu *vcpu)
{
	struct vm_exit *exit = vm_new_exit(vcpu);
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	vmcb->tlb_control = TLB_CONTROL_NONE;
	vmcb->event_inj = 0;
	exit->reason = vmcb->exitcode;
	exit->pc = vmcb->rip;
	if (vmcb->exitcode == VMEXIT_NPF) {
		decode_fault(vcpu, vmcb, exit);
		return vm_serve_fault(vcpu, exit);
	}
	/* The guest's user programs must not speak for its kernel: those get #UD. */
	if (vmcb->exitcode == VMEXIT_VMMCALL && vmcb->cpl == 0) {
		decode_hypercall(vcpu, vmcb, exit);
		return vm_serve_hypercall(vcpu, exit, finish_hypercall);
	}
	return vm_leave_exit(exit);
}

void svm_decode(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	switch (vmcb->exitcode) {
	case VMEXIT_IOIO:
		decode_io(vmcb, exit);
		break;
	case VMEXIT_HLT:
		svm_advance(vmcb, 1);
		exit->kind = VM_EXIT_HALT;
		break;
	case VMEXIT_SHUTDOWN:
		exit->kind = VM_EXIT_CRASH;
		break;
	case VMEXIT_INVALID:
	case (uint32_t)VMEXIT_INVALID: /* as QEMU has it */
		exit->kind = VM_EXIT_REFUSED;
		break;
	default:
		exit->kind = VM_EXIT_ARCH;
	}
}

void svm_inject(struct vmcb *vmcb, enum vector vector)
{
	vmcb->event_inj = (uint64_t)vector | EVENT_EXCEPTION << 8 | EVENT_VALID;
	/* 0; real mode pushes none. */
	if ((vector == VECTOR_GP || vector == VECTOR_DF) && vmcb->cr0 & CR0_PE)
		vmcb->event_inj |= EVENT_ERROR_CODE;
}

/* #GP, because a nested fault does not tell the virtual address that #PF would have to. */
bool svm_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	uint64_t event = vmcb->exitintinfo;
	enum vector vector = VECTOR_GP;

	(void)exit;
	if (event & EVENT_VALID && !fault_in_delivery(event_kind(event), EVENT_VECTOR(event), &vector))
		return false;
	svm_inject(vmcb, vector);
	return true;
}

static void handle_msr(struct vcpu *vcpu, struct vmcb *vmcb)
{
	bool write = vmcb->exitinfo1 & 1;

	if (write ? emulate_wrmsr(vcpu) : emulate_rdmsr(vcpu))
		svm_advance(vmcb, 2);
	else
		svm_inject(vmcb, VECTOR_GP);
}

static bool handle(struct vcpu *vcpu, struct vmcb *vmcb)
{
	switch (vmcb->exitcode) {
	case VMEXIT_CPUID:
		emulate_cpuid(vcpu);
		svm_advance(vmcb, 2);
		return true;
	case VMEXIT_MSR:
		handle_msr(vcpu, vmcb);
		return true;
	case VMEXIT_CR0_SEL_WRITE:
	case VMEXIT_CR0_WRITE + 4:
		return svm_handle_cr_write(vcpu);
	case VMEXIT_INVD: /* must not drop what the host's caches hold; the guest's memory is coherent without it */
		svm_advance(vmcb, 2);
		return true;
	case VMEXIT_RDPMC: /* there are no counters */
		svm_inject(vmcb, VECTOR_GP);
		return true;
	case VMEXIT_XSETBV:
		svm_inject(vmcb, vmcb->cr4 & CR4_OSXSAVE ? VECTOR_GP : VECTOR_UD);
		return true;
	case VMEXIT_RSM: /* instructions of features that the guest's CPUID does not offer */
	case VMEXIT_INVLPGA:
	case VMEXIT_VMRUN:
	case VMEXIT_VMMCALL:
	case VMEXIT_VMLOAD:
	case VMEXIT_VMSAVE:
	case VMEXIT_STGI:
	case VMEXIT_CLGI:
	case VMEXIT_SKINIT:
	case VMEXIT_RDTSCP:
	case VMEXIT_MONITOR:
	case VMEXIT_MWAIT:
	case VMEXIT_MWAIT_ARMED:
	case VMEXIT_RDPRU:
		svm_inject(vmcb, VECTOR_UD);
		return true;
	case VMEXIT_INTR:
		take_host_interrupt();
		return true;
	case VMEXIT_NMI: /* held while GIF was clear: the host has taken them by now */
	case VMEXIT_INIT:
		return true;
	case VMEXIT_EXCP0 + VECTOR_MC: /* the machine's, not the guest's: our handler tells about it */
		__asm__ volatile("int %0" : : "i"(VECTOR_MC) : "memory");
		return true;
	}
	return false;
}

bool svm_handle_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	bool handled;

	(void)exit;
	vcpu->arch.gpr[RAX] = vmcb->rax;
	handled = handle(vcpu, vmcb);
	vmcb->rax = vcpu->arch.gpr[RAX];
	return handled;
}

void svm_finish_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (!exit->io.write)
		vmcb->rax = io_result(vmcb->rax, &exit->io);
	/* AMD APM vol. 2 "IN and OUT Behavior": the address of the next instruction. */
	vmcb->rip = vmcb->exitinfo2;
	vmcb->int_state = 0;
}

void svm_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	finish_hypercall(vcpu, result);
}
