/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX: an exit decoded. Intel SDM vol. 3 "VM Exits". */
#include "include/panic.h"
#include "vmm/walk_log.h"
#include "vmm/serve.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

/*
 * An exit in the middle of delivering an event: deliver it when the guest goes on.
 * SDM vol. 3 "Information for VM Exits That Occur During Event Delivery".
 */
static __attribute__((cold, noinline)) unsigned serve_in_delivery(struct vcpu *vcpu, struct vm_exit *exit, uint64_t info)
{
	if (INTR_TYPE(info) >= INTR_SOFTWARE)
		vmwrite(ENTRY_INSTRUCTION_LENGTH, vmread(EXIT_INSTRUCTION_LENGTH));
	if (info & INTR_ERROR_CODE)
		vmwrite(ENTRY_EXCEPTION_ERROR_CODE, vmread(IDT_VECTORING_ERROR_CODE));
	vmwrite(ENTRY_INTERRUPTION_INFO, info & INTR_REINJECT);
	return vm_serve_fault(vcpu, exit);
}

/* All of the common case in line, and no call but the last: so no register has to be saved. */
static inline unsigned serve_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	uint64_t info = vmread(EXIT_QUALIFICATION);
	uint64_t vectoring = vmread(IDT_VECTORING_INFO);

	/* The low bits of `info` are those of enum npt_prot, and of the entry's permissions three bits up. */
	exit->fault = (struct npt_fault){
		.gpa = GPA(vmread(GUEST_PHYSICAL_ADDRESS)),
		.access = info & (EPTV_READ | EPTV_WRITE | EPTV_FETCH),
		.present = info & EPTV_PERMS,
		.on_guest_walk = (info & (EPTV_LINEAR | EPTV_FINAL)) == EPTV_LINEAR,
	};
	if (__builtin_expect(vectoring & INTR_VALID, 0))
		return serve_in_delivery(vcpu, exit, vectoring);
	return vm_serve_fault(vcpu, exit);
}
_Static_assert(EPTV_READ == NPT_R && EPTV_WRITE == NPT_W && EPTV_FETCH == NPT_X, "EPT violation bits");

static void read_hypercall(const uint64_t *gpr, struct vm_exit *exit)
{
	exit->hypercall.number = gpr[RAX];
	exit->hypercall.arg[0] = gpr[RDI];
	exit->hypercall.arg[1] = gpr[RSI];
	exit->hypercall.arg[2] = gpr[RDX];
	exit->hypercall.arg[3] = gpr[RCX];
}

static void decode_io(const uint64_t *gpr, struct vm_exit *exit)
{
	uint64_t info = vmread(EXIT_QUALIFICATION);
	unsigned size = IO_SIZE(info);

	if (info & IO_STRING) {
		exit->kind = VM_EXIT_ARCH;
		return;
	}
	exit->kind = VM_EXIT_IO;
	exit->io = (struct io_access){
		.space = IO_PORT,
		.size = (uint8_t)size,
		.write = !(info & IO_IN),
		.addr = IO_PORT_OF(info),
		.value = info & IO_IN ? 0 : io_operand(gpr[RAX], size),
	};
}

static _Noreturn __attribute__((cold, noinline)) void nested_entry_malformed(struct vcpu *vcpu)
{
	gpa_t gpa = GPA(vmread(GUEST_PHYSICAL_ADDRESS));

	walk_log(vcpu->vm, gpa);
	panic("vmx: EPT misconfiguration at gpa %#lx", gpa.raw);
}

unsigned vmx_refused(struct vcpu *vcpu)
{
	struct vm_exit *exit = vm_new_exit(vcpu);

	exit->kind = VM_EXIT_ENTRY_FAILED;
	exit->reason = VMX_NOT_ENTERED;
	exit->pc = vmread(GUEST_RIP);
	return FAULT_NOT_SERVED;
}

static void finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	vcpu->arch.gpr[RAX] = result;
}

/*
 * The common case of decode_hypercall, in line. What it keeps over the call is hidden from the rest of vmx_exit, so that the fault
 * path saves no register for it.
 */
static inline __attribute__((always_inline)) unsigned serve_hypercall(struct vcpu *vcpu, struct vm_exit *exit)
{
	__asm__("" : "+r"(vcpu));
	vmwrite_known(GUEST_RIP, exit->pc + vmread(EXIT_INSTRUCTION_LENGTH));
	vmwrite_known(GUEST_INTERRUPTIBILITY, 0);
	read_hypercall(vcpu->arch.gpr, exit);
	return vm_serve_hypercall(vcpu, exit, finish_hypercall);
}

/* Apart, so that the others save no register for its call. */
static __attribute__((noinline)) unsigned leave_interrupt(struct vm_exit *exit)
{
	vmx_interrupted();
	return vm_leave_interrupt(exit);
}

unsigned vmx_exit(struct vcpu *vcpu)
{
	struct vm_exit *exit = vm_new_exit(vcpu);

	exit->reason = vmread(EXIT_REASON);
	exit->pc = vmread(GUEST_RIP);
	if (exit->reason == EXIT_EPT_VIOLATION)
		return serve_fault(vcpu, exit);
	/* This ends the blocking of NMIs, too: docs/guest-abi.md. */
	if (exit->reason == EXIT_VMCALL && !(vmread(GUEST_SS_ACCESS_RIGHTS) & AR_DPL_MASK) &&
	    !(vmread(GUEST_RFLAGS) & (RFLAGS_TF | RFLAGS_RF)))
		return serve_hypercall(vcpu, exit);
	if (exit->reason == EXIT_EXTERNAL_INTERRUPT)
		return leave_interrupt(exit);
	return vm_leave_exit(exit);
}

/* The guest's user programs must not speak for its kernel: those get #UD. CPL is SS's DPL, always. */
static void decode_hypercall(struct vcpu *vcpu, struct vm_exit *exit)
{
	if (vmread(GUEST_SS_ACCESS_RIGHTS) & AR_DPL_MASK) {
		exit->kind = VM_EXIT_ARCH;
		return;
	}
	exit->kind = VM_EXIT_HYPERCALL;
	vmx_complete(0);
	read_hypercall(vcpu->arch.gpr, exit);
}

void vmx_decode(struct vcpu *vcpu, struct vm_exit *exit)
{
	switch (exit->reason) {
	case EXIT_VMCALL:
		decode_hypercall(vcpu, exit);
		break;
	case EXIT_IO:
		decode_io(vcpu->arch.gpr, exit);
		break;
	case EXIT_PREEMPTION_TIMER:
		vmx_timer_expired();
		exit->kind = VM_EXIT_INTERRUPT;
		break;
	case EXIT_TRIPLE_FAULT:
		exit->kind = VM_EXIT_CRASH;
		break;
	case EXIT_EPT_MISCONFIGURATION:
		nested_entry_malformed(vcpu);
	default:
		exit->kind = exit->reason & EXIT_REASON_ENTRY_FAILED ? VM_EXIT_ENTRY_FAILED : VM_EXIT_ARCH;
	}
}

void vmx_finish_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!exit->io.write)
		vcpu->arch.gpr[RAX] = io_result(vcpu->arch.gpr[RAX], &exit->io);
	vmx_complete(io_breakpoints(vcpu, &exit->io));
}

void vmx_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	finish_hypercall(vcpu, result);
}
