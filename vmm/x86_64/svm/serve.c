/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVM: exits that are served on the fast path besides faults and hypercalls: devices, what kernels write to their local APIC,
 * halts, and interrupts for the guest. The registers are in the CPU that a C function preserves: entry.S. Each function is the last
 * thing that svm_exit calls, so that no register is saved for it there.
 */
#include "vmm/x86_64/svm/svm.h"

#include "vmm/sched.h"
#include "vmm/serve.h"
#include "vmm/x86_64/apic_attend.h"
#include "vmm/x86_64/apic_timer.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/guest_walk.h"
#include "vmm/x86_64/offsets.h"
#include "vmm/x86_64/svm/external.h"

/* --- Interrupts for the guest --- */

static inline bool accepts(struct vcpu *vcpu, unsigned window)
{
	(void)window; /* that of an interrupt */
	return svm_takes_interrupt(vcpu->arch.svm.vmcb);
}

static inline uint64_t task_priority(struct vcpu *vcpu)
{
	return (uint8_t)vcpu->arch.svm.vmcb->int_ctl; /* V_TPR */
}

static const struct apic_delivery delivery = {
	.accepts = accepts,
	.inject_interrupt = svm_put_interrupt,
	.set_windows = svm_open_windows,
	.task_priority = task_priority,
};

/*
 * vcpu_attend on the fast path of an exit, where there is attention. False: what has been asked for changes the vCPU's registers,
 * which the slow path sees to; who has asked interrupts this CPU. An interrupt of a guest that is in no shadow is delivered without
 * a call, so that no register is saved for one.
 */
static __attribute__((noinline)) bool attend(struct vcpu *vcpu)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	if (!apic_take_attention(vcpu)) {
		apic_look(vcpu);
		return false;
	}
	if (apic->nmi_pending || apic->timer_deadline != NEVER || svm_in_shadow(&vcpu->arch.svm))
		apic_deliver_all(vcpu);
	else
		apic_deliver(vcpu, &delivery, 0);
	return true;
}

static unsigned attend_at_end(struct vcpu *vcpu)
{
	if (vcpu_has_attention(vcpu))
		attend(vcpu);
	return 0;
}

unsigned svm_attend(struct vcpu *vcpu, unsigned left)
{
	if (left != EXIT_ATTENTION || !attend(vcpu))
		return left;
	vcpu->exits.other++;
	return 0;
}

/* --- Devices --- */

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

/* The IOAPIC is asked for most. */
static inline struct io_device *device_in_memory(struct vm *vm, uint64_t gpa)
{
	struct io_device *ioapic = &vm->arch.ioapic.device;

	return gpa - ioapic->base < ioapic->size ? ioapic : device_at(&vm->devices, IO_MEMORY, gpa);
}

/* Where the guest's register is: all those that is_saved has. */
static inline uint64_t *saved_gpr(struct vcpu *vcpu, struct vmcb *vmcb, unsigned gpr)
{
	return gpr == RAX ? &vmcb->rax : gpr == RSP ? &vmcb->rsp : &vcpu->arch.gpr[gpr];
}

/* 32 bits, as nearly all are, of a register as wide. */
static inline bool is_plain(const struct mmio_insn *insn)
{
	return insn->size == 4 && insn->to == 4 && !insn->immediate;
}

static inline void put_loaded(uint64_t *gpr, const struct mmio_insn *insn, uint64_t value)
{
	*gpr = is_plain(insn) ? (uint32_t)value : mmio_loaded(insn, *gpr, value);
}

/* A device in memory that needs no more than to be asked. Whatever else it is is found out as for any fault. */
unsigned svm_serve_device(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	struct io_device *device = device_in_memory(vcpu->vm, vmcb->exitinfo2);
	const struct mmio_insn *insn = &vcpu->arch.mmio.insn;
	uint64_t *gpr;

	if (!device || device->slow || !decode_move(vcpu, vmcb))
		return vm_serve_fault(vcpu, exit);
	gpr = saved_gpr(vcpu, vmcb, insn->gpr);
	mmio_set_access(insn, vmcb->exitinfo2, *gpr, &exit->io);
	exit->kind = VM_EXIT_IO;
	exit->io.vcpu = (uint8_t)vcpu->id;
	vcpu->exits.mmio++;
	device_serve(device, &exit->io);
	if (!insn->write)
		put_loaded(gpr, insn, exit->io.value);
	step_over(vmcb, vmcb->rip + insn->length);
	if (apic_has_to_send(&vcpu->arch.apic))
		apic_send_pending(vcpu);
	return vcpu_has_attention(vcpu) ? attend_at_end(vcpu) : 0;
}

void svm_decode_io(const struct vmcb *vmcb, struct vm_exit *exit)
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

void svm_finish_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (!exit->io.write)
		vmcb->rax = io_result(vmcb->rax, &exit->io);
	/* AMD APM vol. 2 "IN and OUT Behavior": the address of the next instruction. */
	svm_complete_at(vmcb, vmcb->exitinfo2, io_breakpoints(vcpu, &exit->io));
}

/* What svm_finish_io does, where no breakpoint is, of a read of all ones or a write. In line: kernels do it by the ten thousand. */
static inline unsigned pass_void_port(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	uint64_t ones;

	svm_decode_io(vmcb, exit);
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
unsigned svm_serve_port(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
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
	svm_decode_io(vmcb, exit);
	exit->io.vcpu = (uint8_t)vcpu->id;
	vcpu->exits.pio++;
	device_serve(device, &exit->io);
	svm_finish_io(vcpu, exit);
	return attend_at_end(vcpu);
}

/* --- Instructions --- */

/* An exit that has been served, as arch_handle_exit has it. */
static inline void record(struct vcpu *vcpu, const struct vmcb *vmcb, struct vm_exit *exit)
{
	exit->kind = VM_EXIT_ARCH;
	exit->detail[0] = vmcb->rax;
	exit->detail[1] = vcpu->arch.gpr[RCX];
	vcpu->exits.other++;
}

/* An instruction of two bytes has been carried out, by this exit. */
static inline void finish(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	step_over(vmcb, svm_next_rip(vmcb, 2));
	record(vcpu, vmcb, exit);
}

static __attribute__((noinline)) unsigned serve_command(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit, uint64_t value)
{
	if (!apic_command_fast(vcpu, value))
		return vm_leave_exit(exit);
	finish(vcpu, vmcb, exit);
	return attend_at_end(vcpu);
}

static __attribute__((noinline)) unsigned serve_end(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit, uint64_t value)
{
	if (!apic_may_end(&vcpu->arch.apic, value))
		return vm_leave_exit(exit);
	finish(vcpu, vmcb, exit);
	apic_end(vcpu);
	return vcpu_has_attention(vcpu) ? attend_at_end(vcpu) : 0;
}

static __attribute__((noinline)) unsigned serve_deadline(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit, uint64_t value)
{
	uint64_t now;

	if (LVT_MODE(vcpu->arch.apic.lvt[LVT_TIMER]) != TIMER_TSC_DEADLINE)
		return vm_leave_exit(exit);
	finish(vcpu, vmcb, exit);
	now = rdtsc();
	if (!apic_timer_put_deadline(vcpu, value, now, vmcb->tsc_offset))
		return 0;
	apic_timer_fire(vcpu, now);
	attend(vcpu);
	return 0;
}

/*
 * What kernels write all the time. Without a call in svm_exit's own frame, so that no register is saved for it; and with each call
 * the last thing that is done, so that none is here.
 */
unsigned svm_serve_wrmsr(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->arch.gpr;
	uint64_t value = gpr[RDX] << 32 | (uint32_t)vmcb->rax;

	if (!vcpu->fast || vmcb->rflags & RFLAGS_TF)
		return vm_leave_exit(exit);
	switch ((uint32_t)gpr[RCX]) {
	case IA32_X2APIC_EOI:
		return serve_end(vcpu, vmcb, exit, value);
	case IA32_TSC_DEADLINE:
		return serve_deadline(vcpu, vmcb, exit, value);
	case IA32_X2APIC_ICR:
		return serve_command(vcpu, vmcb, exit, value);
	}
	return vm_leave_exit(exit);
}

/* The guest can take the interrupt that it has waited for with IF clear: what is delivered closes the window. */
unsigned svm_serve_window(struct vcpu *vcpu, const struct vmcb *vmcb, struct vm_exit *exit)
{
	apic_look(vcpu);
	if (!vcpu->fast || !attend(vcpu))
		return vm_leave_exit(exit);
	record(vcpu, vmcb, exit);
	return 0;
}

/* It goes on if there is an interrupt for it, else it leaves the CPU: then nothing is left to do in the slow path. */
unsigned svm_serve_halt(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit)
{
	if (!vcpu->fast || vmcb->rflags & RFLAGS_TF)
		return vm_leave_exit(exit);
	step_over(vmcb, svm_next_rip(vmcb, 1));
	apic_halt(vcpu);
	record(vcpu, vmcb, exit);
	if (vcpu->again) /* which looks again at what comes for it from now on */
		return LEFT_WAITS;
	return attend_at_end(vcpu);
}
