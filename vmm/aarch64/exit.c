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

/* A fault of stage 2, if that is what the abort is. FAR_EL2 and HPFAR_EL2 have been read. */
static bool decode_abort(struct vcpu_arch *arch, struct npt_fault *fault)
{
	unsigned kind = FSC_KIND(ABORT_FSC(arch->esr));
	bool permission = kind == FSC_PERMISSION;

	if (kind != FSC_TRANSLATION && (!permission || (!(arch->esr & ABORT_S1PTW) && !translate_far(arch))))
		return false;
	describe_fault(fault, arch->esr, arch->far, arch->hpfar, permission);
	/* A walk that finds a device instead of memory (HCR_EL2.PTW) is denied: no device may be executed. */
	if (fault->on_guest_walk && permission && fault->gpa.raw < GUEST_RAM_BASE)
		fault->access |= NPT_X;
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

static inline unsigned serve_abort(struct vcpu *vcpu, struct vm_exit *exit, uint64_t esr, uint64_t far, uint64_t hpfar)
{
	unsigned kind = FSC_KIND(ABORT_FSC(esr));

	vcpu->arch.far = far;
	vcpu->arch.hpfar = hpfar;
	if (kind == FSC_PERMISSION)
		return serve_permission_fault(vcpu, exit);
	describe_fault(&exit->fault, esr, far, hpfar, false);
	if (kind != FSC_TRANSLATION || !is_in_or_above_ram(&exit->fault))
		return vm_leave_exit(exit);
	return vm_serve_fault(vcpu, exit);
}

static inline struct vm_exit *new_exit(struct vcpu *vcpu, uint64_t esr)
{
	struct vm_exit *exit = vm_new_exit(vcpu);

	vcpu->arch.vector = GUEST_EXIT_SYNC;
	vcpu->arch.esr = esr;
	exit->reason = esr;
	exit->pc = read_sysreg(elr_el2);
	return exit;
}

static inline unsigned exit_by_abort(struct vcpu *vcpu, struct vm_exit *exit, uint64_t esr, uint64_t far, uint64_t hpfar)
{
	unsigned class = ESR_EC(esr);

	if (class != EC_DABT_LOW && class != EC_IABT_LOW)
		return vm_leave_exit(exit);
	return serve_abort(vcpu, exit, esr, far, hpfar);
}

/* Without a call, so that no register has to be saved for one. */
unsigned vcpu_exit_abort(struct vcpu *vcpu, uint64_t esr, uint64_t far, uint64_t hpfar)
{
	return exit_by_abort(vcpu, new_exit(vcpu, esr), esr, far, hpfar);
}
_Static_assert(EC_DABT_LOW &EC_IABT_LOW & 0x20 && !((EC_HVC64 | EC_SYSREG) & 0x20), "bit 31 of the syndrome, for entry.S");
_Static_assert(GUEST_RAM_BASE == BIT(RAM_BASE_BIT), "offsets.h");

/* --- Devices -------------------------------------------------------------------------------------------------------- */

/* A load or store of one register, where nothing is mapped. */
static inline bool is_plain_access(uint64_t esr)
{
	const uint64_t mask = (uint64_t)0x3f << ESR_EC_SHIFT | ABORT_ISV | ABORT_S1PTW | FSC_KIND(0x3f);

	return (esr & mask) == ((uint64_t)EC_DABT_LOW << ESR_EC_SHIFT | ABORT_ISV | FSC_TRANSLATION);
}

/* Registers that entry.S loads at every entry; 31 is none. */
#define LOADED_AT_ENTRY (BITS(18, 0) | BITS(31, 30))

static inline void go_on_behind(const struct vm_exit *exit)
{
	write_sysreg(elr_el2, exit->pc + 4);
	write_sysreg(spsr_el2, read_sysreg(spsr_el2) & ~(PSTATE_BTYPE | PSTATE_SS));
}

static inline unsigned finish_access(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned left = 0;

	if (!exit->io.write) {
		finish_load(arch, &exit->io);
		left = LOADED_AT_ENTRY >> ABORT_SRT(arch->esr) & 1 ? 0 : LEFT_LOADED;
	}
	go_on_behind(exit);
	vcpu_attend(vcpu);
	return left;
}

/* What follows is each by itself, so that none saves registers for another one. */
#define APART __attribute__((noinline))

static APART unsigned serve_no_device(struct vcpu *vcpu, struct vm_exit *exit)
{
	return exit_by_abort(vcpu, exit, vcpu->arch.esr, vcpu->arch.far, vcpu->arch.hpfar);
}

/* A device that needs no more than to be asked: what a kernel's drivers do most. */
static APART unsigned serve_device(struct vcpu *vcpu, struct vm_exit *exit, uint64_t gpa)
{
	struct io_device *device = device_at(&vcpu->vm->devices, IO_MEMORY, gpa);

	if (!device || device->slow)
		return serve_no_device(vcpu, exit);
	decode_mmio(&vcpu->arch, gpa, exit);
	exit->io.vcpu = (uint8_t)vcpu->id;
	device_serve(device, &exit->io);
	vcpu->exits.mmio++;
	return finish_access(vcpu, exit);
}

/* A word of the GIC's, by which an interrupt is taken, ended, or sent. */
static APART unsigned serve_interrupt(struct vcpu *vcpu, struct vm_exit *exit, uint64_t gpa)
{
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned number = ABORT_SRT(arch->esr);
	bool write = arch->esr & ABORT_WNR;
	uint32_t value = write ? (uint32_t)read_operand(arch, number) : 0;

	if (ABORT_SAS(arch->esr) != 2 || !interrupts_access(vcpu, gpa, write, &value))
		return serve_device(vcpu, exit, gpa);
	exit->kind = VM_EXIT_IO;
	exit->io = (struct io_access){ IO_MEMORY, 4, write, (uint8_t)vcpu->id, gpa, value };
	vcpu->exits.mmio++;
	if (!write)
		arch->x[number] = value;
	go_on_behind(exit);
	vcpu_attend(vcpu);
	return write || LOADED_AT_ENTRY >> number & 1 ? 0 : LEFT_LOADED;
}

unsigned vcpu_exit_device(struct vcpu *vcpu, uint64_t esr, uint64_t far, uint64_t hpfar)
{
	struct vm_exit *exit = new_exit(vcpu, esr);
	uint64_t gpa = (hpfar & BITS(43, 4)) << HPFAR_SHIFT | (far & (PAGE_SIZE - 1));

	vcpu->arch.far = far;
	vcpu->arch.hpfar = hpfar;
	if (!vcpu->fast || !is_plain_access(esr))
		return serve_no_device(vcpu, exit);
	return gpa - GUEST_GICC_BASE < PAGE_SIZE || gpa == GUEST_GICD_BASE + GICD_SGIR ? serve_interrupt(vcpu, exit, gpa) :
											 serve_device(vcpu, exit, gpa);
}

static void finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	vcpu->arch.x[0] = result; /* the CPU has stepped over HVC */
}

/* ICC_SGI1R_EL1 and its like, from a register that entry.S has saved. */
static __attribute__((noinline)) unsigned serve_sysreg(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned rt = ESR_SYSREG_RT(arch->esr);

	if (!vcpu->fast || arch->esr & ESR_SYSREG_READ || !(LOADED_AT_ENTRY >> rt & 1) ||
	    !interrupts_sysreg_write(vcpu, ESR_SYSREG(arch->esr), read_operand(arch, rt)))
		return vm_leave_exit(exit);
	exit->kind = VM_EXIT_ARCH;
	vcpu->exits.other++;
	go_on_behind(exit);
	vcpu_attend(vcpu);
	return 0;
}

unsigned vcpu_exit(struct vcpu *vcpu, uint64_t esr)
{
	struct vm_exit *exit = new_exit(vcpu, esr);
	unsigned class = ESR_EC(esr);

	if (class == EC_HVC64 && smccc_decode(&vcpu->arch, &exit->hypercall))
		return vm_serve_hypercall(vcpu, exit, finish_hypercall);
	return class == EC_SYSREG ? serve_sysreg(vcpu, exit) : vm_leave_exit(exit);
}

/* What is pending for the guest since then, it finds when it goes on. */
unsigned vcpu_exit_interrupt(struct vcpu *vcpu, uint64_t vector)
{
	struct vm_exit *exit = vm_new_exit(vcpu);
	unsigned left;

	vcpu->arch.vector = vector;
	exit->reason = vector;
	exit->pc = read_sysreg(elr_el2);
	if (vector == GUEST_EXIT_SERROR)
		return vm_leave_exit(exit);
	vm_leave_interrupt(exit);
	left = vm_take_interrupts(vcpu);
	if (left != EXIT_ATTENTION)
		return left;
	vcpu->exits.other++;
	vcpu_attend(vcpu);
	return 0;
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
