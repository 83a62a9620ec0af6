/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM: an exit decoded, and what the guest gets for it. AMD APM vol. 2 "SVM Intercept Exit Codes". */
#include "vmm/x86_64/svm/svm.h"

#include "include/panic.h"
#include "vmm/walk_log.h"
#include "vmm/sched.h"
#include "vmm/serve.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/guest_walk.h"
#include "vmm/x86_64/offsets.h"

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

/* What svm_complete_at does where TF is clear: no trap comes. */
static inline void step_over(struct vmcb *vmcb, uint64_t rip)
{
	vmcb->rip = svm_in_64bit_code(vmcb) ? rip : (uint32_t)rip;
	vmcb->rflags &= ~RFLAGS_RF;
	vmcb->int_state = 0;
}

/* Is the guest's value in the vCPU, or the VMCB, on the fast path? See entry.S. */
static bool is_saved(unsigned gpr)
{
	return !((BIT(RBX) | BIT(RBP) | BIT(R12) | BIT(R13) | BIT(R14) | BIT(R15)) >> gpr & 1);
}

/* Read the instruction by which the guest accesses a device. False: it is none that is served here. */
static bool decode_move(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	const struct guest_paging paging = { vmcb->cr0, vmcb->cr3, vmcb->cr4, vmcb->efer };
	const struct mmio_insn *insn = &vcpu->arch.mmio.insn;

	return vcpu->fast && !(vmcb->rflags & RFLAGS_TF) && !(vmcb->exitinfo1 & (PF_FETCH | NPF_GUEST_WALK)) &&
	       guest_move(vcpu, &paging, GVA(vmcb->cs.base + vmcb->rip), svm_code_bits(vcpu)) &&
	       insn->write == (bool)(vmcb->exitinfo1 & PF_WRITE) && is_saved(insn->gpr);
}

/* A device in memory that needs no more than to be asked. Whatever else it is is found out as for any fault. */
static __attribute__((noinline)) unsigned serve_device(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	struct io_device *device = device_at(&vcpu->vm->devices, IO_MEMORY, vmcb->exitinfo2);
	const struct mmio_insn *insn = &vcpu->arch.mmio.insn;

	if (!device || device->slow || !decode_move(vcpu, vmcb))
		return vm_serve_fault(vcpu, exit);
	mmio_set_access(insn, vmcb->exitinfo2, svm_get_gpr(vcpu, insn->gpr), &exit->io);
	exit->kind = VM_EXIT_IO;
	exit->io.vcpu = (uint8_t)vcpu->id;
	vcpu->exits.mmio++;
	device_serve(device, &exit->io);
	if (!insn->write)
		svm_set_gpr(vcpu, insn->gpr, mmio_loaded(insn, svm_get_gpr(vcpu, insn->gpr), exit->io.value));
	step_over(vmcb, vmcb->rip + insn->length);
	apic_send_pending(vcpu);
	if (vcpu_has_attention(vcpu))
		apic_attend(vcpu);
	return 0;
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
		return serve_device(vcpu, vmcb, exit);
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

/* What svm_finish_io does, where no breakpoint is, of a read of all ones or a write. In line: kernels do it by the ten thousand. */
static inline unsigned pass_void_port(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t ones;

	decode_io(vmcb, exit);
	vcpu->exits.pio++;
	if (!exit->io.write) {
		ones = ~UINT64_C(0) >> (64 - 8 * exit->io.size);
		exit->io.value = ones;
		vmcb->rax = exit->io.size == 4 ? ones : vmcb->rax | ones;
	}
	step_over(vmcb, vmcb->exitinfo2);
	return 0;
}

/* An access to a port where a device is that needs no more than to be asked, or none. */
static __attribute__((noinline)) unsigned serve_port(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	uint16_t port = IOIO_PORT(vmcb->exitinfo1);
	struct io_device *device;

	if (!vcpu->fast || vmcb->rflags & RFLAGS_TF || vmcb->exitinfo1 & IOIO_STRING)
		return vm_leave_exit(exit);
	if (device_port_is_void(&vcpu->vm->devices, port) && !(vmcb->dr7 & DR7_ENABLE_ALL))
		return pass_void_port(vcpu, vmcb, exit);
	device = device_at(&vcpu->vm->devices, IO_PORT, port);
	if (!device || device->slow)
		return vm_leave_exit(exit);
	decode_io(vmcb, exit);
	exit->io.vcpu = (uint8_t)vcpu->id;
	vcpu->exits.pio++;
	device_serve(device, &exit->io);
	svm_finish_io(vcpu, exit);
	apic_attend(vcpu);
	return 0;
}

/* An exit that has been served, as arch_handle_exit has it. */
static inline void record(struct vcpu *vcpu, const struct vmcb *vmcb, struct vm_exit *exit)
{
	exit->kind = VM_EXIT_ARCH;
	exit->detail[0] = vmcb->rax;
	exit->detail[1] = vcpu->arch.gpr[RCX];
	vcpu->exits.other++;
}

static inline unsigned served(struct vcpu *vcpu, const struct vmcb *vmcb, struct vm_exit *exit)
{
	record(vcpu, vmcb, exit);
	if (vcpu_has_attention(vcpu))
		apic_attend(vcpu);
	return 0;
}

/* What kernels write all the time. Without a call in svm_exit's own frame, so that no register is saved for it. */
static __attribute__((noinline)) unsigned serve_wrmsr(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->arch.gpr;

	if (!vcpu->fast || vmcb->rflags & RFLAGS_TF ||
	    !msr_write_fast(vcpu, (uint32_t)gpr[RCX], gpr[RDX] << 32 | (uint32_t)vmcb->rax))
		return vm_leave_exit(exit);
	step_over(vmcb, svm_next_rip(vmcb, 2));
	return served(vcpu, vmcb, exit);
}

/* The guest can take the interrupt that it has waited for with IF clear. */
static __attribute__((noinline)) unsigned serve_window(struct vcpu *vcpu, const struct vmcb *vmcb, struct vm_exit *exit)
{
	if (!vcpu->fast)
		return vm_leave_exit(exit);
	svm_window_opens(vcpu);
	return served(vcpu, vmcb, exit);
}

/* It goes on if there is an interrupt for it, else it leaves the CPU: then nothing is left to do in the slow path. */
static __attribute__((noinline)) unsigned serve_halt(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	if (!vcpu->fast || vmcb->rflags & RFLAGS_TF)
		return vm_leave_exit(exit);
	step_over(vmcb, svm_next_rip(vmcb, 1));
	apic_halt(vcpu);
	record(vcpu, vmcb, exit);
	if (vcpu->again) /* which looks again at what comes for it from now on */
		return LEFT_WAITS;
	apic_attend(vcpu);
	return 0;
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
		return serve_wrmsr(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_IOIO)
		return serve_port(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_VINTR)
		return serve_window(vcpu, vmcb, exit);
	if (vmcb->exitcode == VMEXIT_HLT)
		return serve_halt(vcpu, vmcb, exit);
	return vm_leave_exit(exit);
}

unsigned svm_attend(struct vcpu *vcpu, unsigned left)
{
	if (!sched_left_attention(vcpu, left) || !apic_attend(vcpu))
		return left;
	vcpu->exits.other++;
	return 0;
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
		decode_io(vmcb, exit);
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

void svm_finish_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (!exit->io.write)
		vmcb->rax = io_result(vmcb->rax, &exit->io);
	/* AMD APM vol. 2 "IN and OUT Behavior": the address of the next instruction. */
	svm_complete_at(vmcb, vmcb->exitinfo2, io_breakpoints(vcpu, &exit->io));
}

void svm_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	vcpu->arch.svm.vmcb->rax = result;
}
