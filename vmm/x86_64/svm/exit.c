/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM: an exit decoded, and what the guest gets for it. AMD APM vol. 2 "SVM Intercept Exit Codes". */
#include "vmm/x86_64/svm/svm.h"

#include "include/panic.h"
#include "vmm/walk_log.h"
#include "vmm/serve.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/emulate.h"

/*
 * An exit in the middle of delivering an event: deliver it when the guest goes on. What an instruction raised by
 * design (INT n, INT3, INTO) comes back when that instruction runs again, so it must not be injected as well.
 */
static void reinject(struct vmcb *vmcb)
{
	if (svm_event_kind(vmcb->exitintinfo) != EVENT_BY_INSTRUCTION)
		vmcb->event_inj = vmcb->exitintinfo;
}

/*
 * A reserved bit was set on the nested walk. Of an address beyond the space's width that is the guest's doing: its own
 * tables can hold one as wide as the CPU's, and it is not there. Else it is one of our entries.
 */
static void check_reserved(struct vcpu *vcpu, gpa_t gpa)
{
	if (gpa.raw >> vcpu->vm->as.npt.config.gpa_bits)
		return;
	walk_log(vcpu->vm, gpa);
	panic("svm: reserved bit set in a nested entry for gpa %#lx", gpa.raw);
}

static __attribute__((cold, noinline)) unsigned serve_odd_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (vmcb->exitinfo1 & PF_RESERVED)
		check_reserved(vcpu, exit->fault.gpa);
	if (vmcb->exitintinfo & EVENT_VALID)
		reinject(vmcb);
	return vm_serve_fault(vcpu, exit);
}

/* All of the common case in line, and no call but the last: so no register has to be saved. */
static inline unsigned serve_fault(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t info = vmcb->exitinfo1;

	exit->fault = (struct npt_fault){
		.gpa = GPA(vmcb->exitinfo2),
		.access = info & PF_WRITE ? NPT_W :
			  info & PF_FETCH ? NPT_X :
					    NPT_R,
		.present = info & PF_PRESENT,
		.on_guest_walk = info & NPF_GUEST_WALK,
	};
	if (__builtin_expect(info & PF_RESERVED || vmcb->exitintinfo & EVENT_VALID, 0))
		return serve_odd_fault(vcpu, exit);
	/* By the lower half of the address, which is shorter; serve_device looks at all of it. */
	if (__builtin_expect((uint32_t)vmcb->exitinfo2 - GUEST_DEVICES < GUEST_DEVICES_SIZE, 0))
		return svm_serve_device(vcpu, vmcb, exit);
	return vm_serve_fault(vcpu, exit);
}

#define VMMCALL_BYTES 3

static void read_hypercall(const struct vcpu *vcpu, const struct vmcb *vmcb, struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->arch.gpr;

	exit->hypercall.number = vmcb->rax;
	exit->hypercall.arg[0] = gpr[RDI];
	exit->hypercall.arg[1] = gpr[RSI];
	exit->hypercall.arg[2] = gpr[RDX];
	exit->hypercall.arg[3] = gpr[RCX];
}

/*
 * The common case of decode_hypercall, in line. What it keeps over the call is hidden from the rest of svm_exit, so that the fault
 * path saves no register for it.
 */
static inline __attribute__((always_inline)) unsigned serve_hypercall(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t rip = exit->pc + VMMCALL_BYTES;
	hypercall_result result;

	__asm__("" : "+r"(vmcb));
	/* As svm_next_rip; in line is what QEMU does, where instructions are counted: a CPU predicts either. */
	if (__builtin_expect(svm_features.nrips, 0))
		rip = vmcb->next_rip;
	vmcb->rip = rip;
	vmcb->int_state = 0;
	read_hypercall(vcpu, vmcb, exit);
	result = vm_serve_call(vcpu, exit);
	vmcb->rax = hypercall_value(result);
	return hypercall_left(result);
}

unsigned svm_exit(struct vcpu *vcpu)
{
	struct vm_exit *exit = vm_new_exit(vcpu);
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	vmcb->tlb_control = TLB_CONTROL_NONE;
	vmcb->event_inj = 0;
	exit->reason = vmcb->exitcode;
	exit->pc = vmcb->rip;
	if (vmcb->exitcode == VMEXIT_NPF)
		return serve_fault(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_VMMCALL && vmcb->cpl == 0 && !(vmcb->rflags & (RFLAGS_TF | RFLAGS_RF)))
		return serve_hypercall(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_INTR) {
		if (__builtin_expect(vmcb->int_state & INT_STATE_SHADOW, 0))
			vcpu->arch.svm.shadow_at = vmcb->rip;
		return vm_leave_interrupt(exit);
	}
	if (vmcb->exitcode == VMEXIT_MSR && vmcb->exitinfo1 & 1)
		return svm_serve_wrmsr(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_IOIO)
		return svm_serve_port(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_VINTR)
		return svm_serve_window(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_HLT)
		return svm_serve_halt(vcpu, vmcb, exit);
	return vm_leave_exit(exit);
}

/* The guest's user programs must not speak for its kernel: those get #UD. */
static void decode_hypercall(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	if (vmcb->cpl != 0) {
		exit->kind = VM_EXIT_ARCH;
		return;
	}
	exit->kind = VM_EXIT_HYPERCALL;
	svm_complete(vmcb, VMMCALL_BYTES);
	read_hypercall(vcpu, vmcb, exit);
}

void svm_decode(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	switch (vmcb->exitcode) {
	case VMEXIT_VMMCALL:
		decode_hypercall(vcpu, vmcb, exit);
		break;
	case VMEXIT_IOIO:
		svm_decode_io(vmcb, exit);
		break;
	case VMEXIT_SHUTDOWN:
		exit->kind = VM_EXIT_CRASH;
		break;
	case VMEXIT_INVALID:
	case (uint32_t)VMEXIT_INVALID: /* as QEMU has it */
		exit->kind = VM_EXIT_ENTRY_FAILED;
		break;
	default:
		exit->kind = VM_EXIT_ARCH;
	}
}

static void handle_msr(struct vcpu *vcpu, struct vmcb *vmcb)
{
	bool write = vmcb->exitinfo1 & 1;

	if (write ? emulate_wrmsr(vcpu) : emulate_rdmsr(vcpu))
		svm_complete(vmcb, 2);
	else
		svm_inject(vmcb, VECTOR_GP);
}

static bool handle(struct vcpu *vcpu, struct vmcb *vmcb)
{
	switch (vmcb->exitcode) {
	case VMEXIT_CPUID:
		emulate_cpuid(vcpu);
		svm_complete(vmcb, 2);
		return true;
	case VMEXIT_MSR:
		handle_msr(vcpu, vmcb);
		return true;
	case VMEXIT_CR0_SEL_WRITE:
	case VMEXIT_CR0_WRITE + 4:
	case VMEXIT_CR8_WRITE:
		return svm_handle_cr_write(vcpu);
	case VMEXIT_INVD: /* must not drop what the host's caches hold; the guest's memory is coherent without it */
		svm_complete(vmcb, 2);
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
	case VMEXIT_INVPCID:
		svm_inject(vmcb, VECTOR_UD);
		return true;
	case VMEXIT_HLT:
		if (!svm_complete(vmcb, 1)) /* a debug trap wakes the CPU as soon as it waits */
			apic_halt(vcpu);
		return true;
	case VMEXIT_VINTR:
		svm_window_opens(vcpu);
		return true;
	case VMEXIT_IRET:
		svm_nmi_ends(vcpu);
		return true;
	case VMEXIT_NMI: /* held while GIF was clear: the host has taken them by now */
	case VMEXIT_INIT:
		return true;
	case VMEXIT_ICEBP: /* else its #DB could not be told from others, which come again where they were */
		svm_trap_icebp(vmcb);
		return true;
	case VMEXIT_EXCP0 + VECTOR_DB:
		return svm_redeliver_debug(vcpu);
	case VMEXIT_EXCP0 + VECTOR_AC:
		return svm_redeliver_alignment(vcpu);
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

void svm_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	vcpu->arch.svm.vmcb->rax = result;
}
