/* SPDX-License-Identifier: BSD-2-Clause */
/* include/arch/virt.h for RISC-V: the H extension, switched on, and the G-stage tables. */
#include "include/arch/virt.h"

#include "include/arch/riscv64/guarded.h"
#include "include/arch/riscv64/insn.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/cpu.h"
#include "vmm/riscv64/offsets.h"
#include "vmm/riscv64/riscv.h"
#include "vmm/run_queue.h"
#include "vmm/shootdown.h"

#define EM_RISCV 243

/* What an address in an entry can hold: 44 bits of page number. RISC-V Privileged, "Sv39", "Sv48", "Sv57". */
#define HPA_BITS 56

_Static_assert(offsetof(struct vcpu, arch.gpr[31]) == VCPU_GPR(31), "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.pc) == VCPU_PC, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.host_sp) == VCPU_HOST_SP, "offsets.h");
_Static_assert(EXIT_INTERRUPTED == LEFT_INTERRUPTED, "offsets.h");

/* The modes of G-stage translation, narrowest first. "Guest Physical Address Translation": two bits wider than the SvNN. */
static const struct gstage_mode {
	uint8_t levels, gpa_bits;
	enum atp_mode mode;
} gstage_modes[] = {
	{ 3, 41, ATP_SV39 },
	{ 4, 50, ATP_SV48 },
	{ 5, 59, ATP_SV57 },
};

enum err arch_virt_probe(bool vhe, const char **why)
{
	(void)vhe;
	uint64_t hstatus;

	if (!csr_try_read(CSR_HSTATUS, &hstatus)) {
		*why = "this hart has no H extension (hypervisor): take one that has, or let the emulator offer it "
		       "(-cpu rv64,h=true)";
		return ERR_UNSUPPORTED;
	}
	if (!riscv_find_features()) {
		*why = "the hart's H extension has no G-stage mode that we know: hgatp keeps none of Sv39x4, Sv48x4, Sv57x4";
		return ERR_UNSUPPORTED;
	}
	return ERR_OK;
}

const char *arch_isa_name(void)
{
	return "riscv64";
}

uint64_t arch_clock(void)
{
	return csr_read(CSR_TIME);
}

/* The time is coarse, and the other counter is there only if the firmware lets us have it. */
uint64_t arch_cost_clock(void)
{
	return riscv_features.instret ? csr_read(CSR_INSTRET) : csr_read(CSR_TIME);
}

const char *arch_cost_clock_name(void)
{
	return riscv_features.instret ? "instret" : "time";
}

const char *arch_virt_name(void)
{
	return "h";
}

/*
 * Registers that not every hart has. Of the Advanced Interrupt Architecture a guest has what has no effect without
 * interrupt files: "hvictl", "hvien" and "hviprio" are about virtual interrupts that nobody raises here. "Smstateen":
 * senvcfg, and nothing that later extensions bring.
 */
static void set_optional(void)
{
	csr_try_write(CSR_HENVCFG, riscv_features.henvcfg);
	csr_try_write(CSR_HVICTL, 0);
	csr_try_write(CSR_HVIEN, 0);
	csr_try_write(CSR_HVIPRIO1, 0);
	csr_try_write(CSR_HVIPRIO2, 0);
	csr_try_write(CSR_HSTATEEN0, HSTATEEN0_SENVCFG);
	csr_try_write(CSR_HSTATEEN1, 0);
	csr_try_write(CSR_HSTATEEN2, 0);
	csr_try_write(CSR_HSTATEEN3, 0);
}

/* What holds for every guest; the rest is set by arch_vcpu_get. */
enum err arch_virt_enable(const char **why)
{
	struct cpu *cpu = arch_this_cpu();

	if (cpu->id != 0 && !riscv_same_features()) {
		*why = "it lacks the H extension, or what it has is not what the first hart has";
		return ERR_UNSUPPORTED;
	}
	csr_write(CSR_VSATP, 0);
	csr_write(CSR_HGATP, 0);
	hfence_gvma_all();
	hfence_vvma_all();
	csr_write(CSR_HIE, 0);
	csr_write(CSR_HGEIE, 0);
	csr_write(CSR_HVIP, 0);
	csr_write(CSR_HEDELEG, GUEST_EXCEPTIONS);
	csr_write(CSR_HIDELEG, IRQ_ALL_VS);
	csr_write(CSR_HCOUNTEREN, COUNTEREN_BASE);
	set_optional();
	if ((csr_read(CSR_HIDELEG) & IRQ_ALL_VS) != IRQ_ALL_VS ||
	    !(csr_write_read(CSR_HSTATUS, HSTATUS_VSXL_64 | HSTATUS_VTW) & HSTATUS_VTW)) {
		*why = "hideleg or hstatus does not keep what it takes to hold a guest";
		return ERR_UNSUPPORTED;
	}
	vmid_space_init(&cpu->arch.vmids, cpu->id, BIT(riscv_features.vmid_bits));
	csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL);
	/* From now on it may be a guest that traps. */
	csr_write(CSR_SSCRATCH, 0);
	csr_write(CSR_STVEC, (uintptr_t)guest_exit);
	return ERR_OK;
}

static const struct gstage_mode *mode_of_levels(unsigned levels)
{
	return &gstage_modes[levels - gstage_modes[0].levels];
}

static bool has_mode(const struct gstage_mode *mode)
{
	switch (mode->mode) {
	case ATP_SV39:
		return riscv_features.sv39x4;
	case ATP_SV48:
		return riscv_features.sv48x4;
	default:
		return riscv_features.sv57x4;
	}
}

/* The narrowest mode there is for addresses below `gpa_end`, with `spare` bits left over. NULL: none. */
static const struct gstage_mode *pick_mode(uint64_t gpa_end, unsigned spare)
{
	for (size_t i = 0; i < ARRAY_LEN(gstage_modes); i++) {
		const struct gstage_mode *mode = &gstage_modes[i];

		if (gpa_end <= BIT(mode->gpa_bits - spare) && has_mode(mode))
			return mode;
	}
	return NULL;
}

/*
 * The uppermost bit is left alone where a wider mode is to be had: QEMU before 8 takes it for a sign and never finds what
 * is mapped there.
 */
enum err arch_npt_config(uint64_t gpa_end, const struct npt_ops **ops, struct npt_config *config)
{
	const struct gstage_mode *mode = pick_mode(gpa_end, 1);

	if (!mode)
		mode = pick_mode(gpa_end, 0);
	if (!mode)
		return ERR_RANGE;
	*ops = &npt_riscv_x4;
	*config = (struct npt_config){
		.levels = mode->levels,
		.gpa_bits = mode->gpa_bits,
		.hpa_bits = HPA_BITS,
		.max_leaf = 2, /* every mode has all leaf sizes */
		.hardware_ad = riscv_features.hardware_ad,
		.exec_only = true,
		.page_memtypes = riscv_features.pbmt,
	};
	return ERR_OK;
}

/*
 * A range never has a table taken out below it (npt_gather widens those to all), so fences by address, which only order leaf
 * entries, will do for it: "Hypervisor Memory-Management Instructions".
 */
static unsigned flush_range(uint64_t vmid, gpa_t gpa, uint64_t size)
{
	if (size > NPT_FLUSH_RANGE_MAX) {
		hfence_gvma_vmid(vmid);
		return 1;
	}
	for (uint64_t at = gpa.raw; at < gpa.raw + size; at += PAGE_SIZE)
		hfence_gvma_page(at, vmid);
	return (unsigned)(size / PAGE_SIZE);
}

/*
 * The SBI has a call that fences on other harts, too. But each of them uses another VMID, and owes a FENCE.I as well if frames
 * leave the VM (arch_flush_resident); one interrupt is enough for both.
 */
unsigned arch_npt_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	struct vm *vm = CONTAINER_OF(as, struct vm, as);
	const struct vcpu *here = arch_this_cpu()->resident;
	unsigned count = 0;

	if (here && here->vm == vm)
		count = flush_range(here->arch.vmid.number, gpa, size);
	shootdown(vm);
	return count;
}

void arch_npt_flush_local(struct vcpu *vcpu, gpa_t gpa)
{
	hfence_gvma_page(align_down(gpa.raw, PAGE_SIZE), vcpu->arch.vmid.number);
}

/* "Cache-Block Management Instructions": ordered by fences as accesses of the block are. */
static void sync_to_memory(void *bytes, uint64_t size)
{
	uint64_t block = riscv_features.cache_block, end = (uintptr_t)bytes + size;

	for (uint64_t at = align_down((uintptr_t)bytes, block); at < end; at += block)
		cbo_flush((void *)at);
	fence();
}

/*
 * No register says that a hart's fetches find what was stored, so each owes a FENCE.I before it fetches what was
 * written, whoever wrote it: "Zifencei" Extension for Instruction-Fetch Fence. The guest owes none for what it has not
 * written. Other harts have had theirs: they have fetched nothing from these frames since they left their owner before, whose vCPUs
 * fenced with the shoot-down or when they left the hart (arch_flush_resident, arch_vcpu_get).
 */
static void publish_to_fetches(void *bytes, uint64_t size)
{
	(void)bytes;
	(void)size;
	fence_i();
}

static void publish_to_memory(void *bytes, uint64_t size)
{
	sync_to_memory(bytes, size);
	fence_i();
}

/* Only by a memory type of its own does a guest go past the caches. */
static bool guest_passes_caches(void)
{
	return riscv_features.henvcfg & HENVCFG_PBMTE;
}

addr_space_sync arch_guest_sync(void)
{
	return guest_passes_caches() ? sync_to_memory : NULL;
}

addr_space_sync arch_guest_publish(void)
{
	return guest_passes_caches() ? publish_to_memory : publish_to_fetches;
}

addr_space_sync arch_guest_zero(void)
{
	return NULL;
}

void arch_vm_ram_layout(struct vm *vm, uint64_t ram)
{
	vm->ram[0] = (struct ram_range_gpa){ GPA(GUEST_RAM_BASE), ram };
	vm->ram_ranges = 1;
}

static void set_gstage(struct vm *vm)
{
	const struct npt *npt = &vm->as.npt;

	vm->arch.hgatp = (uint64_t)mode_of_levels(npt->config.levels)->mode << ATP_MODE_SHIFT | npt->root.raw >> PAGE_SHIFT;
}

_Static_assert(VCPU_MAX <= PLIC_CONTEXTS && VCPU_MAX <= 32, "a context for each hart, and a bit in a word");
_Static_assert(GUEST_UART_LINE < PLIC_SOURCES, "the line is there");

/* The hart whose external interrupt comes or goes. */
static void plic_changed(struct plic *plic, unsigned context)
{
	const struct vm *vm = CONTAINER_OF(plic, struct vm, arch.plic);

	sched_notify(vm_vcpu(vm, context));
}

static void set_line(struct device_table *devices, unsigned line, bool level)
{
	plic_set_line(&CONTAINER_OF(devices, struct vm, devices)->arch.plic, line, level);
}

/* The VM's table finds what is accessed most first. */
static void add_devices(struct vm *vm)
{
	device_add(&vm->devices, &vm->arch.console.device);
	device_add(&vm->devices, &vm->arch.plic.device);
	vm->devices.set_line = set_line;
}

enum err arch_vm_init(struct vm *vm)
{
	v16550_init(&vm->arch.console, IO_MEMORY, GUEST_UART_BASE, GUEST_UART_LINE);
	plic_init(&vm->arch.plic, GUEST_PLIC_BASE, vm->options.vcpus, plic_changed);
	add_devices(vm);
	set_gstage(vm);
	return ERR_OK;
}

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	child->arch = parent->arch;
	add_devices(child);
	set_gstage(child);
	return ERR_OK;
}

uint64_t arch_vm_memory(const struct vm *vm)
{
	(void)vm;
	return 0;
}

void arch_vm_free(struct vm *vm)
{
	(void)vm;
}

uint16_t arch_elf_machine(void)
{
	return EM_RISCV;
}

/* RISC-V ELF psABI, "Relocations". */
enum elf_relocation arch_elf_relocation(uint32_t type)
{
	enum { R_RISCV_RELATIVE = 3, R_RISCV_64 = 2, R_RISCV_JUMP_SLOT = 5 };

	switch (type) {
	case 0:
		return ELF_RELOCATION_NONE;
	case R_RISCV_RELATIVE:
		return ELF_RELOCATION_RELATIVE;
	case R_RISCV_64:
	case R_RISCV_JUMP_SLOT:
		return ELF_RELOCATION_SYMBOL;
	default:
		return ELF_RELOCATION_OTHER;
	}
}

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(GUEST_LOAD_FLOOR);
}

/* Linux Documentation/arch/riscv/boot.rst, "Kernel location", and boot-image-header.rst. The magic is "RSC\x05". */
const struct linux_rules *arch_linux_rules(void)
{
	static const struct linux_rules rules = { .magic = 0x05435352, .align = MIB(2) };

	return &rules;
}

const char *arch_linux_refuses(uint64_t flags)
{
	(void)flags;
	return NULL;
}

const struct kernel_loader *arch_kernel_loader(const void *file, size_t size)
{
	(void)file;
	(void)size;
	return NULL;
}

void arch_vcpu_dump(struct vcpu *vcpu)
{
	static const char *const names[GPR_COUNT] = { "x0 ", "ra ", "sp ", "gp ", "tp ", "t0 ", "t1 ", "t2 ", "s0 ", "s1 ", "a0 ",
						      "a1 ", "a2 ", "a3 ", "a4 ", "a5 ", "a6 ", "a7 ", "s2 ", "s3 ", "s4 ", "s5 ",
						      "s6 ", "s7 ", "s8 ", "s9 ", "s10", "s11", "t3 ", "t4 ", "t5 ", "t6 " };
	const uint64_t *gpr = vcpu->arch.gpr;

	for (unsigned i = 0; i < GPR_COUNT; i += 4)
		log_vm_err(vcpu->vm, " %s %016lx %s %016lx %s %016lx %s %016lx", names[i], gpr[i], names[i + 1], gpr[i + 1],
			   names[i + 2], gpr[i + 2], names[i + 3], gpr[i + 3]);
	log_vm_err(vcpu->vm, " pc  %016lx, in %s-mode", vcpu->arch.pc, csr_read(CSR_SSTATUS) & SSTATUS_SPP ? "VS" : "VU");
	log_vm_err(vcpu->vm, " vsstatus %016lx vsatp %016lx vstvec %016lx", csr_read(CSR_VSSTATUS), csr_read(CSR_VSATP),
		   csr_read(CSR_VSTVEC));
	log_vm_err(vcpu->vm, " vscause  %016lx vsepc %016lx vstval %016lx", csr_read(CSR_VSCAUSE), csr_read(CSR_VSEPC),
		   csr_read(CSR_VSTVAL));
}
