/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One round through the guest, the exit decoded, and what the guest gets for it.
 * Source: Arm ARM (DDI 0487), "ESR_EL2", "HPFAR_EL2", "AArch64 Exception model".
 */
#include "include/arch/virt.h"

#include "include/arch/aarch64/world_switch.h"
#include "include/panic.h"
#include "include/log.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/offsets.h"
#include "vmm/aarch64/smccc.h"
#include "vmm/sched.h"
#include "vmm/serve.h"

/* --- Decoding ------------------------------------------------------------------------------------------------------- */

static bool in_ram(const struct vm *vm, uint64_t gpa)
{
	for (size_t i = 0; i < vm->ram_ranges; i++)
		if (gpa - vm->ram[i].start.raw < vm->ram[i].size)
			return true;
	return false;
}

/*
 * HPFAR_EL2 is not written for a permission fault, unless that was of a stage 1 walk. FAR_EL2 holds the virtual address
 * then, and the guest's own stage 1 says where it leads; any address that EL0 may use EL1 may read. False: it does not
 * lead anywhere any more.
 */
static bool translate_far(struct vcpu_arch *arch)
{
	uint64_t saved = read_sysreg(par_el1), par;

	__asm__ volatile("at s1e1r, %0" : : "r"(arch->far) : "memory");
	isb();
	par = read_sysreg(par_el1);
	write_sysreg(par_el1, saved); /* it is the guest's */
	arch->hpfar = (par & PAR_PA) >> 8;
	return !(par & PAR_F);
}

static uint64_t read_operand(const struct vcpu_arch *arch, unsigned number)
{
	return number == 31 ? 0 : arch->x[number];
}

/* A data abort below RAM, where a device is; the syndrome has the register of the access. */
static void decode_mmio(const struct vcpu_arch *arch, uint64_t gpa, struct vm_exit *exit)
{
	unsigned size = 1u << ABORT_SAS(arch->esr);
	bool write = arch->esr & ABORT_WNR;
	uint64_t mask = ~UINT64_C(0) >> (64 - 8 * size);

	if (!(arch->esr & ABORT_ISV)) {
		exit->kind = VM_EXIT_ARCH; /* refused; cache maintenance is reported without a register, too */
		return;
	}
	exit->kind = VM_EXIT_IO;
	exit->io = (struct io_access){
		.space = IO_MEMORY,
		.size = (uint8_t)size,
		.write = write,
		.addr = gpa,
		.value = write ? read_operand(arch, ABORT_SRT(arch->esr)) & mask : 0,
	};
}

/*
 * A guest that takes an exception without having set up vectors fetches from where nothing is. The exception is what is
 * wrong with it, not the fetch.
 */
static bool lacks_vectors(const struct vm *vm, const struct vcpu_arch *arch, uint64_t gpa)
{
	uint64_t offset = arch->pc - read_guest_sysreg(vbar_el1);

	return offset < 0x800 && offset % 0x80 == 0 && !in_ram(vm, gpa);
}

/* The syndrome reports cache maintenance as a write, though it needs the translation only. */
static uint8_t access_of(uint64_t esr, bool fetch, bool permission)
{
	if (esr & ABORT_S1PTW)
		return permission ? NPT_RW : NPT_R; /* the walker, which writes its access and dirty flags */
	if (fetch)
		return NPT_X;
	return (esr & (ABORT_WNR | ABORT_CM)) == ABORT_WNR ? NPT_W : NPT_R;
}

static inline void describe_fault(struct npt_fault *fault, uint64_t esr, uint64_t far, uint64_t hpfar, bool permission)
{
	bool walk = esr & ABORT_S1PTW;

	/* Bits 43:4 are those from 12 up of the address. On a walk the address in FAR is another one. */
	fault->gpa = GPA((hpfar & BITS(43, 4)) << 8 | (walk ? 0 : far & (PAGE_SIZE - 1)));
	fault->access = access_of(esr, ESR_EC(esr) == EC_IABT_LOW, permission);
	fault->present = permission;
	fault->on_guest_walk = walk;
}

/* A fault of stage 2, if that is what the abort is. */
static bool decode_abort(struct vcpu_arch *arch, struct npt_fault *fault)
{
	unsigned kind = FSC_KIND(ABORT_FSC(arch->esr));
	bool permission = kind == FSC_PERMISSION;

	arch->far = read_sysreg(far_el2);
	arch->hpfar = read_sysreg(hpfar_el2);
	if (kind != FSC_TRANSLATION && (!permission || (!(arch->esr & ABORT_S1PTW) && !translate_far(arch))))
		return false;
	describe_fault(fault, arch->esr, arch->far, arch->hpfar, permission);
	return true;
}

static bool is_in_or_above_ram(const struct npt_fault *fault)
{
	return fault->gpa.raw >= GUEST_RAM_BASE || fault->on_guest_walk;
}

static __attribute__((noinline)) unsigned serve_permission_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	if (!decode_abort(&vcpu->arch, &exit->fault) || !is_in_or_above_ram(&exit->fault))
		return vm_leave_exit(exit);
	return vm_serve_fault(vcpu, exit);
}

/* Give the guest what it has loaded. 31: nowhere. */
static void finish_load(struct vcpu_arch *arch, const struct io_access *io)
{
	unsigned unused = 64 - 8u * io->size;
	uint64_t value = io->value << unused;

	value = arch->esr & ABORT_SSE ? (uint64_t)((int64_t)value >> unused) : value >> unused;
	arch->x[ABORT_SRT(arch->esr)] = arch->esr & ABORT_SF ? value : (uint32_t)value;
}

/* Registers that entry.S has saved at every exit; 31 is none. */
#define SAVED_AT_EXIT (BITS(18, 0) | BITS(31, 30))

/*
 * A load or store that reaches a device which needs no more than to be asked: what a kernel's drivers do most. All else is left to
 * the slow path, also what loads or stores a register that is still in the CPU.
 */
static __attribute__((noinline)) unsigned serve_device(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vcpu_arch *arch = &vcpu->arch;
	uint64_t gpa = exit->fault.gpa.raw;
	struct io_device *device;

	if (!vcpu->fast || ESR_EC(arch->esr) != EC_DABT_LOW || !(arch->esr & ABORT_ISV) ||
	    !(SAVED_AT_EXIT >> ABORT_SRT(arch->esr) & 1))
		return vm_leave_exit(exit);
	device = device_at(&vcpu->vm->devices, IO_MEMORY, gpa);
	if (!device || device->slow)
		return vm_leave_exit(exit);
	decode_mmio(arch, gpa, exit);
	exit->io.vcpu = (uint8_t)vcpu->id;
	vcpu->exits.mmio++;
	device_serve(device, &exit->io);
	if (!exit->io.write)
		finish_load(arch, &exit->io);
	write_sysreg(elr_el2, exit->pc + 4);
	write_sysreg(spsr_el2, read_sysreg(spsr_el2) & ~(PSTATE_BTYPE | PSTATE_SS));
	vcpu_attend(vcpu);
	return 0;
}

/* Without a call, so that no register has to be saved for one. */
static inline unsigned serve_abort(struct vcpu *vcpu, struct vm_exit *exit, uint64_t esr)
{
	uint64_t far = read_sysreg(far_el2), hpfar = read_sysreg(hpfar_el2);
	unsigned kind = FSC_KIND(ABORT_FSC(esr));

	if (kind == FSC_PERMISSION)
		return serve_permission_fault(vcpu, exit);
	vcpu->arch.far = far;
	vcpu->arch.hpfar = hpfar;
	describe_fault(&exit->fault, esr, far, hpfar, false);
	if (kind != FSC_TRANSLATION)
		return vm_leave_exit(exit);
	if (!is_in_or_above_ram(&exit->fault))
		return serve_device(vcpu, exit);
	return vm_serve_fault(vcpu, exit);
}

static void finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	vcpu->arch.x[0] = result; /* the CPU has stepped over HVC */
}

unsigned vcpu_exit(struct vcpu *vcpu, uint64_t esr)
{
	struct vm_exit *exit = vm_new_exit(vcpu);
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned class = ESR_EC(esr);

	arch->vector = GUEST_EXIT_SYNC;
	arch->esr = esr;
	exit->reason = esr;
	exit->pc = read_sysreg(elr_el2);
	if (class == EC_DABT_LOW || class == EC_IABT_LOW)
		return serve_abort(vcpu, exit, esr);
	if (class == EC_HVC64 && smccc_decode(arch, &exit->hypercall))
		return vm_serve_hypercall(vcpu, exit, finish_hypercall);
	return vm_leave_exit(exit);
}

unsigned vcpu_exit_interrupt(struct vcpu *vcpu, uint64_t vector)
{
	struct vm_exit *exit = vm_new_exit(vcpu);

	vcpu->arch.vector = vector;
	exit->reason = vector;
	exit->pc = read_sysreg(elr_el2);
	return vector == GUEST_EXIT_IRQ || vector == GUEST_EXIT_FIQ ? vm_leave_interrupt(exit) : vm_leave_exit(exit);
}

/* Below RAM, or none of stage 2's. */
static void decode_other_abort(struct vcpu *vcpu, bool fetch, struct vm_exit *exit)
{
	struct npt_fault fault;

	exit->kind = VM_EXIT_ARCH;
	if (!decode_abort(&vcpu->arch, &fault))
		return;
	if (fetch && lacks_vectors(vcpu->vm, &vcpu->arch, fault.gpa.raw)) {
		exit->kind = VM_EXIT_CRASH;
	} else if (!fetch && device_is_at(&vcpu->vm->devices, IO_MEMORY, fault.gpa.raw)) {
		decode_mmio(&vcpu->arch, fault.gpa.raw, exit);
	} else {
		exit->kind = VM_EXIT_FAULT;
		exit->fault = fault;
	}
}

/* WFI of a kernel. */
static bool is_wait(const struct vcpu_arch *arch)
{
	return WFX_TI(arch->esr) == WFX_WFI && !from_el0(arch);
}

void arch_vcpu_decode(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned class = arch->vector == GUEST_EXIT_SYNC ? ESR_EC(arch->esr) : EC_UNKNOWN;

	exit->kind = VM_EXIT_ARCH;
	if (class == EC_DABT_LOW || class == EC_IABT_LOW) {
		decode_other_abort(vcpu, class == EC_IABT_LOW, exit);
	} else if (class == EC_WFX && is_wait(arch) && interrupts_wait(vcpu)) {
		skip_instruction(arch);
		exit->kind = VM_EXIT_HALT;
	}
}

/* --- Serving -------------------------------------------------------------------------------------------------------- */

/* Aborts that are neither a fault of stage 2 nor I/O. */
static bool handle_abort(struct vcpu *vcpu)
{
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned fsc = ABORT_FSC(arch->esr);

	switch (FSC_KIND(fsc)) {
	case FSC_ADDRESS_SIZE:
	case FSC_ACCESS_FLAG:
		panic("el2: stage 2 is malformed: ESR_EL2 %#lx, HPFAR_EL2 %#lx, FAR_EL2 %#lx", arch->esr, arch->hpfar, arch->far);
	case FSC_PERMISSION: /* stage 1 has changed under the access: it will see that for itself */
		return true;
	}
	if (fsc != FSC_TLB_CONFLICT)
		return false;
	/* "TLB conflict aborts": two entries for one address; which ones is not reported. */
	tlbi(vmalls12e1);
	dsb(nsh);
	isb();
	return true;
}

static bool handle_sync(struct vcpu *vcpu)
{
	struct vcpu_arch *arch = &vcpu->arch;

	switch (ESR_EC(arch->esr)) {
	/*
	 * WFE, the forms that end by themselves, and what a user program waits by: waking at once is allowed, and it is the
	 * next one's turn. A kernel that wants to know of its programs' waits (SCTLR_EL1.nTWI and nTWE 0) has been told by
	 * the CPU, whose trap to EL1 comes first.
	 */
	case EC_WFX:
		skip_instruction(arch);
		if (!is_wait(arch)) /* else there is an interrupt */
			vcpu->leave = LEAVE_YIELD;
		return true;
	case EC_HVC64:
		smccc_call(vcpu);
		return true;
	case EC_SMC64:
		smccc_refuse(arch);
		return true;
	case EC_SYSREG:
		emulate_sysreg(vcpu);
		return true;
	case EC_IABT_LOW:
	case EC_DABT_LOW:
		return handle_abort(vcpu);
	case EC_CP15_32: /* AArch32 programs at EL0, and features that the identification registers do not offer */
	case EC_CP15_64:
	case EC_CP14_32:
	case EC_CP14_LS:
	case EC_CP14_64:
	case EC_CP10_ID:
	case EC_PAC:
	case EC_LS64:
	case EC_SVE:
	case EC_SME:
		inject_undefined(arch);
		return true;
	default:
		return false;
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
	exit->detail[0] = vcpu->arch.x[0];
	switch (vcpu->arch.vector) {
	case GUEST_EXIT_SYNC:
		return handle_sync(vcpu);
	default: /* the machine reports an error that the guest's own memory cannot have */
		return false;
	}
}

void arch_vcpu_finish_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vcpu_arch *arch = &vcpu->arch;

	if (!exit->io.write)
		finish_load(arch, &exit->io);
	skip_instruction(arch);
}

void arch_vcpu_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	finish_hypercall(vcpu, result);
}
