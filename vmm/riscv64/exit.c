/* SPDX-License-Identifier: BSD-2-Clause */
/* One round through the guest, the trap decoded, and what the guest gets for it. RISC-V Privileged, "Hypervisor Extension". */
#include "include/arch/virt.h"

#include "include/arch/riscv64/sbi.h"
#include "include/panic.h"
#include "vmm/hypercall.h"
#include "vmm/riscv64/riscv.h"

#define INSN_WFI 0x10500073

/* An access of the guest's own page-table walk, told by a pseudoinstruction: bits 12 (width) and 5 (write) vary. */
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

/* Outside RAM: a device, or the end. */
static __attribute__((cold, noinline)) void decode_outside(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct access_insn *access = &vcpu->arch.access;
	gpa_t gpa = exit->fault.gpa;

	if (lacks_handler(vcpu)) {
		exit->kind = VM_EXIT_CRASH;
		return;
	}
	if (exit->fault.on_guest_walk || exit->fault.access & NPT_X || !vm_has_device(vcpu->vm, IO_MEMORY, gpa.raw))
		return;
	if (!mmio_decode(&vcpu->arch, access)) {
		exit->kind = VM_EXIT_CRASH;
		return;
	}
	exit->kind = VM_EXIT_IO;
	exit->io = (struct io_access){
		.space = IO_MEMORY,
		.size = access->size,
		.write = access->write,
		.addr = gpa.raw,
		.value = access->write ? vcpu->arch.gpr[access->gpr] & (~UINT64_C(0) >> (64 - 8 * access->size)) : 0,
	};
}

/*
 * "Hypervisor Trap Value (htval) Register": the faulting guest-physical address shifted right by 2, or 0. Of an explicit
 * access the two bits below are those of stval; a walk's are 0.
 */
static void decode_fault(struct vcpu *vcpu, struct vm_exit *exit, unsigned access)
{
	struct vcpu_arch *arch = &vcpu->arch;
	bool walk;

	arch->stval = csr_read(CSR_STVAL);
	arch->htval = csr_read(CSR_HTVAL);
	arch->htinst = csr_read(CSR_HTINST);
	walk = is_walk(arch->htinst);
	if (walk)
		access = arch->htinst & (HTINST_WALK_READ ^ HTINST_WALK_WRITE) ? NPT_W : NPT_R;
	exit->kind = VM_EXIT_FAULT;
	exit->fault = (struct npt_fault){
		.gpa = GPA(arch->htval << 2 | (walk ? 0 : arch->stval & 3)),
		.access = (uint8_t)access,
		.on_guest_walk = walk,
	};
	if (arch->htval == 0)
		walk_find_fault(vcpu, &exit->fault);
	if (!in_ram(vcpu->vm, exit->fault.gpa))
		decode_outside(vcpu, exit);
}

static void decode_call(const struct vcpu *vcpu, struct vm_exit *exit)
{
	const uint64_t *gpr = vcpu->arch.gpr;

	if (gpr[GPR_A7] != SBI_NESTLING) {
		exit->kind = VM_EXIT_ARCH;
		return;
	}
	exit->kind = VM_EXIT_HYPERCALL;
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
		panic("riscv: %s at %#lx while entering the guest, stval %#lx", cause_name(csr_read(CSR_SCAUSE)),
		      vcpu->arch.pc, csr_read(CSR_STVAL));
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

static __attribute__((cold, noinline)) void decode_other(struct vcpu *vcpu, struct vm_exit *exit)
{
	check_origin(vcpu);
	vcpu->arch.stval = csr_read(CSR_STVAL);
	exit->kind = VM_EXIT_ARCH;
	if (is_wfi(vcpu, exit->reason) && !timer_can_wake(vcpu)) {
		vcpu->arch.pc += 4;
		exit->kind = VM_EXIT_HALT;
	}
}

static void vcpu_decode(struct vcpu *vcpu, struct vm_exit *exit)
{
	uint64_t cause = csr_read(CSR_SCAUSE);

	exit->reason = cause;
	exit->pc = vcpu->arch.pc;
	switch (cause) {
	case CAUSE_FETCH_GUEST_PAGE:
		decode_fault(vcpu, exit, NPT_X);
		break;
	case CAUSE_LOAD_GUEST_PAGE:
		decode_fault(vcpu, exit, NPT_R);
		break;
	case CAUSE_STORE_GUEST_PAGE:
		decode_fault(vcpu, exit, NPT_W);
		break;
	case CAUSE_ECALL_VS:
		decode_call(vcpu, exit);
		break;
	default:
		decode_other(vcpu, exit);
	}
}

bool vcpu_exit(struct vcpu *vcpu)
{
	struct vm_exit *exit = vm_new_exit(vcpu);

	vcpu_decode(vcpu, exit);
	return vm_handle_exit(vcpu, exit);
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
	case SCAUSE_INTERRUPT | IRQ_STI:
		timer_fired(vcpu);
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
	const struct access_insn *access = &vcpu->arch.access;
	unsigned unused = 64 - 8u * access->size;
	uint64_t value = exit->io.value << unused;

	if (!access->write && access->gpr != GPR_ZERO)
		vcpu->arch.gpr[access->gpr] = access->sign ? (uint64_t)((int64_t)value >> unused) : value >> unused;
	vcpu->arch.pc += access->length;
}

/* As an SBI call returns: an error in a0, a value in a1. Our errors are those that SBI has a number for. */
void arch_vcpu_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	uint64_t *gpr = vcpu->arch.gpr;

	vcpu->arch.pc += 4;
	gpr[GPR_A0] = SBI_SUCCESS;
	gpr[GPR_A1] = result;
	switch (result) {
	case HYPERCALL_NOT_SUPPORTED:
		gpr[GPR_A0] = (uint64_t)SBI_ERR_NOT_SUPPORTED;
		break;
	case HYPERCALL_DENIED:
		gpr[GPR_A0] = (uint64_t)SBI_ERR_DENIED;
		break;
	case HYPERCALL_INVALID:
		gpr[GPR_A0] = (uint64_t)SBI_ERR_INVALID_PARAM;
		break;
	case HYPERCALL_NO_MEMORY:
		gpr[GPR_A0] = (uint64_t)SBI_ERR_FAILED;
		break;
	}
}
