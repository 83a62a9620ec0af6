/* SPDX-License-Identifier: BSD-2-Clause */
/* One round through the guest, the trap decoded, and what the guest gets for it. RISC-V Privileged, "Hypervisor Extension". */
#include "include/arch/virt.h"

#include "include/arch/riscv64/sbi.h"
#include "include/panic.h"
#include "vmm/sched.h"
#include "vmm/serve.h"
#include "vmm/riscv64/riscv.h"

#define INSN_WFI 0x10500073

/* An access of the guest's own page-table walk, reported by a pseudoinstruction: bits 12 (width) and 5 (write) vary. */
static bool is_walk(uint64_t htinst)
{
	return (htinst & ~(uint64_t)(HTINST_WALK_READ32 ^ HTINST_WALK_WRITE)) == HTINST_WALK_READ32;
}

static bool in_ram(const struct vm *vm, gpa_t gpa)
{
	return gpa.raw - vm->ram[0].start.raw < vm->ram[0].size;
}

/* The guest went to its trap vector, and there is nothing: what sent it there is the trouble. */
static bool lacks_handler(const struct vcpu *vcpu)
{
	return csr_read(CSR_SCAUSE) == CAUSE_FETCH_GUEST_PAGE && vcpu->arch.pc == (csr_read(CSR_VSTVEC) & ~UINT64_C(3)) &&
	       csr_read(CSR_VSEPC) != 0;
}

/* arch.access was decoded. */
static void set_io(struct vcpu *vcpu, struct vm_exit *exit, gpa_t gpa)
{
	const struct access_insn *access = &vcpu->arch.access;

	exit->kind = VM_EXIT_IO;
	exit->io = (struct io_access){
		.space = IO_MEMORY,
		.size = access->size,
		.write = access->write,
		.vcpu = (uint8_t)vcpu->id,
		.addr = gpa.raw,
		.value = access->write ? vcpu->arch.gpr[access->gpr] & (~UINT64_C(0) >> (64 - 8 * access->size)) : 0,
	};
}

/* Outside RAM as far as exit->fault says: a device, or the end; or RAM after all, if the hart does not report the address. */
static void decode_outside(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct access_insn *access = &vcpu->arch.access;
	gpa_t gpa;

	exit->kind = VM_EXIT_FAULT;
	if (vcpu->arch.htval == 0)
		walk_find_fault(vcpu, &exit->fault);
	gpa = exit->fault.gpa;
	if (in_ram(vcpu->vm, gpa))
		return;
	if (lacks_handler(vcpu)) {
		exit->kind = VM_EXIT_CRASH;
		return;
	}
	if (exit->fault.on_guest_walk || exit->fault.access & NPT_X || !device_is_at(&vcpu->vm->devices, IO_MEMORY, gpa.raw))
		return;
	if (!mmio_decode(&vcpu->arch, access))
		exit->kind = VM_EXIT_CRASH;
	else
		set_io(vcpu, exit, gpa);
}

/*
 * "Hypervisor Trap Value (htval) Register": the faulting guest-physical address shifted right by 2, or 0. Of an explicit
 * access the two bits below are those of stval; a walk's are 0.
 */
static void decode_fault(struct vcpu_arch *arch, struct vm_exit *exit, unsigned access)
{
	uint64_t stval = csr_read(CSR_STVAL), htval = csr_read(CSR_HTVAL), htinst = csr_read(CSR_HTINST);
	bool walk = is_walk(htinst);

	arch->stval = stval;
	arch->htval = htval;
	arch->htinst = htinst;
	if (walk)
		access = htinst & (HTINST_WALK_READ ^ HTINST_WALK_WRITE) ? NPT_W : NPT_R;
	exit->fault = (struct npt_fault){
		.gpa = GPA(htval << 2 | (walk ? 0 : stval & 3)),
		.access = (uint8_t)access,
		.on_guest_walk = walk,
	};
}

static void decode_call(const struct vcpu *vcpu, struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->arch.gpr;

	csr_write(CSR_SEPC, exit->pc + 4);
	exit->hypercall.number = gpr[GPR_A6];
	exit->hypercall.arg[0] = gpr[GPR_A0];
	exit->hypercall.arg[1] = gpr[GPR_A1];
	exit->hypercall.arg[2] = gpr[GPR_A2];
	exit->hypercall.arg[3] = gpr[GPR_A3];
}

/* A trap between csrw sscratch and sret of arch_vcpu_run would look like the guest's. */
static void check_origin(const struct vcpu *vcpu)
{
	if (!(csr_read(CSR_HSTATUS) & HSTATUS_SPV))
		panic("riscv: %s at %#lx while entering the guest, stval %#lx", cause_name(csr_read(CSR_SCAUSE)), vcpu->arch.pc,
		      csr_read(CSR_STVAL));
}

static bool from_vs(void)
{
	return csr_read(CSR_SSTATUS) & SSTATUS_SPP;
}

/* The instruction at the guest's pc: "stval" may hold it after an illegal or virtual instruction, or 0. */
static uint32_t faulting_insn(const struct vcpu_arch *arch)
{
	uint32_t insn = (uint32_t)arch->stval;

	return insn || !guest_fetch(arch->pc, &insn) ? insn : 0;
}

/* hstatus.VTW has WFI trap; of the guest's user programs it is illegal. */
static bool is_wfi(const struct vcpu *vcpu, uint64_t cause)
{
	return cause == CAUSE_VIRTUAL_INSN && faulting_insn(&vcpu->arch) == INSN_WFI && from_vs();
}

static void decode_other(struct vcpu *vcpu, struct vm_exit *exit)
{
	check_origin(vcpu);
	vcpu->arch.stval = csr_read(CSR_STVAL);
	exit->kind = VM_EXIT_ARCH;
	if (is_wfi(vcpu, exit->reason) && !timer_is_pending() && timer_wakes_at(vcpu) == NEVER) {
		vcpu->arch.pc += 4;
		vcpu->wake_at = NEVER;
		exit->kind = VM_EXIT_HALT;
	}
}

static __attribute__((cold, noinline)) enum sbi_error error_of(uint64_t result)
{
	switch (result) {
	case HYPERCALL_DENIED:
		return SBI_ERR_DENIED;
	case HYPERCALL_INVALID:
		return SBI_ERR_INVALID_PARAM;
	case HYPERCALL_NO_MEMORY:
		return SBI_ERR_FAILED;
	default: /* HYPERCALL_NOT_SUPPORTED */
		return SBI_ERR_NOT_SUPPORTED;
	}
}

/* As an SBI call returns: an error in a0, a value in a1. Our errors are those that SBI has a number for. */
static void finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	uint64_t *gpr = vcpu->arch.gpr;

	gpr[GPR_A0] = SBI_SUCCESS;
	gpr[GPR_A1] = result;
	if ((int64_t)result < 0)
		gpr[GPR_A0] = (uint64_t)error_of(result);
}

static unsigned access_of(uint64_t cause)
{
	return cause == CAUSE_STORE_GUEST_PAGE ? NPT_W : cause == CAUSE_LOAD_GUEST_PAGE ? NPT_R : NPT_X;
}

/* Give the guest what it has loaded. */
static void finish_load(struct vcpu *vcpu, uint64_t value)
{
	const struct access_insn *access = &vcpu->arch.access;
	unsigned unused = 64 - 8u * access->size;

	value <<= unused;
	if (access->gpr != GPR_ZERO)
		vcpu->arch.gpr[access->gpr] = access->sign ? (uint64_t)((int64_t)value >> unused) : value >> unused;
}

/* Registers that entry.S has saved at every exit: for_guest there; and x0, which is none. */
#define SAVED_AT_EXIT (BIT(GPR_ZERO) | BITS(2, 1) | BITS(7, 5) | BITS(17, 10) | BITS(31, 28))

/*
 * A load or store that reaches a device, served on the fast path like a fault: what a kernel's drivers do most. All else is left to
 * the slow path, also what loads or stores a register that is still in the hart.
 */
static __attribute__((noinline)) unsigned serve_device(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct access_insn *access = &vcpu->arch.access;
	gpa_t gpa = exit->fault.gpa;
	struct io_device *device;

	/* An address that the hart does not report is 0 so far, where no device is. */
	if (!vcpu->fast || exit->fault.on_guest_walk || exit->fault.access & NPT_X)
		return vm_leave_exit(exit);
	device = device_at(&vcpu->vm->devices, IO_MEMORY, gpa.raw);
	vcpu->arch.pc = exit->pc;
	if (!device || device->slow || !mmio_decode(&vcpu->arch, access) || !(SAVED_AT_EXIT >> access->gpr & 1))
		return vm_leave_exit(exit);
	set_io(vcpu, exit, gpa);
	vcpu->exits.mmio++;
	device_serve(device, &exit->io);
	if (!access->write)
		finish_load(vcpu, exit->io.value);
	csr_write(CSR_SEPC, exit->pc + access->length);
	vcpu_attend(vcpu);
	return 0;
}

/* Those SBI calls that kernels make all the time: they need no register that is still in the hart. */
static __attribute__((noinline)) unsigned serve_sbi(struct vcpu *vcpu, struct vm_exit *exit)
{
	uint64_t extension = vcpu->arch.gpr[GPR_A7], function = vcpu->arch.gpr[GPR_A6];

	if (!vcpu->fast || !sbi_serve_fast(vcpu))
		return vm_leave_exit(exit);
	exit->kind = VM_EXIT_ARCH;
	exit->detail[0] = extension;
	exit->detail[1] = function;
	vcpu->exits.other++;
	csr_write(CSR_SEPC, exit->pc + 4);
	vcpu_attend(vcpu);
	return 0;
}

unsigned vcpu_exit(struct vcpu *vcpu)
{
	struct vm_exit *exit = vm_new_exit(vcpu);
	uint64_t cause = csr_read(CSR_SCAUSE);

	exit->reason = cause;
	exit->pc = csr_read(CSR_SEPC);
	if (cause == CAUSE_ECALL_VS && vcpu->arch.gpr[GPR_A7] == SBI_NESTLING) {
		decode_call(vcpu, exit);
		return vm_serve_hypercall(vcpu, exit, finish_hypercall);
	}
	if (is_guest_page_fault(cause)) {
		decode_fault(&vcpu->arch, exit, access_of(cause));
		if (in_ram(vcpu->vm, exit->fault.gpa))
			return vm_serve_fault(vcpu, exit);
		return serve_device(vcpu, exit);
	}
	if (cause & SCAUSE_INTERRUPT)
		return vm_leave_interrupt(exit);
	if (cause == CAUSE_ECALL_VS)
		return serve_sbi(vcpu, exit);
	return vm_leave_exit(exit);
}

unsigned vcpu_interrupted(struct vcpu *vcpu, unsigned left)
{
	if (left != EXIT_ATTENTION)
		return left;
	vcpu->exits.other++;
	vcpu_attend(vcpu);
	return 0;
}

void arch_vcpu_decode(struct vcpu *vcpu, struct vm_exit *exit)
{
	if (is_guest_page_fault(exit->reason))
		decode_outside(vcpu, exit);
	else
		decode_other(vcpu, exit);
}

/*
 * What the guest does not have: CSRs and instructions of the H extension, timers and counters that were not offered, and
 * its user programs' privileged instructions. On a hart without the H extension all are illegal instructions.
 */
static void handle_virtual_insn(struct vcpu *vcpu)
{
	if (is_wfi(vcpu, CAUSE_VIRTUAL_INSN)) {
		timer_wait(vcpu);
		vcpu->arch.pc += 4;
	} else {
		inject_exception(vcpu, CAUSE_ILLEGAL_INSN, faulting_insn(&vcpu->arch));
	}
}

/* Devices are told from memory before. */
bool arch_decode_device(struct vcpu *vcpu, struct vm_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return false;
}

bool arch_handle_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->detail[0] = vcpu->arch.stval;
	switch (exit->reason) {
	case CAUSE_ECALL_VS:
		exit->detail[0] = vcpu->arch.gpr[GPR_A7];
		exit->detail[1] = vcpu->arch.gpr[GPR_A6];
		sbi_serve(vcpu);
		return true;
	case CAUSE_VIRTUAL_INSN:
		handle_virtual_insn(vcpu);
		return true;
	}
	/* A hart need not let all of them be delegated: hedeleg is WARL. */
	if (exit->reason < 64 && GUEST_EXCEPTIONS & BIT(exit->reason)) {
		inject_exception(vcpu, (enum cause)exit->reason, vcpu->arch.stval);
		return true;
	}
	return false;
}

void arch_vcpu_finish_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (!exit->io.write)
		finish_load(vcpu, exit->io.value);
	vcpu->arch.pc += vcpu->arch.access.length;
}

void arch_vcpu_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	finish_hypercall(vcpu, result);
}
