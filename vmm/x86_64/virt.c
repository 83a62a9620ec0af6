/* SPDX-License-Identifier: BSD-2-Clause */
/* include/arch/virt.h for x86-64: what Intel and AMD share, and the choice between them. */
#include "include/arch/virt.h"

#include "include/arch/x86_64/insn.h"
#include "include/log.h"
#include "vmm/shootdown.h"
#include "vmm/x86_64/acpi_tables.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/diagnose.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/guest_walk.h"
#include "vmm/x86_64/mmio.h"
#include "vmm/x86_64/offsets.h"
#include "vmm/x86_64/speculation.h"
#include "vmm/x86_64/virt_ops.h"

#define EM_X86_64 62

/* Below 4 GiB, the last GiB is kept for devices, as PCs do. */
#define LOW_RAM_END GIB(3)
#define HIGH_RAM    GIB(4)
#define LOAD_FLOOR  MIB(1)

/* What four levels of tables can hold. Intel SDM vol. 3 "EPT Translation Mechanism"; AMD's are those of long mode. */
#define NESTED_GPA_BITS 48

_Static_assert(offsetof(struct vcpu, arch.gpr[RAX]) == VCPU_RAX, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.gpr[RDI]) == VCPU_RDI, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.gpr[R15]) == VCPU_R15, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.svm.vmcb_pa) == VCPU_SVM_VMCB_PA, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.svm.host_vmcb_pa) == VCPU_SVM_HOST_VMCB_PA, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.vmx.launched) == VCPU_VMX_LAUNCHED, "offsets.h");
_Static_assert(EXIT_INTERRUPTED == LEFT_INTERRUPTED, "offsets.h");

enum err arch_virt_probe(bool vhe, const char **why)
{
	(void)vhe;
	if (cpuid(1, 0).ecx & CPUID_1_ECX_VMX)
		virt = &vmx_ops;
	else if (cpuid(0x80000000, 0).eax >= 0x80000001 && cpuid(0x80000001, 0).ecx & CPUID_81_ECX_SVM)
		virt = &svm_ops;
	if (!virt) {
		*why = "this CPU offers neither Intel VMX nor AMD SVM: enable virtualization in the firmware's set-up "
		       "menu, or let the emulator offer it";
		return ERR_UNSUPPORTED;
	}
	return virt->probe(why);
}

const char *arch_isa_name(void)
{
	return "x86_64";
}

const char *arch_virt_name(void)
{
	return virt->name;
}

enum err arch_virt_enable(const char **why)
{
	enum err err = virt->enable(&arch_this_cpu()->arch.virt, why);

	if (err == ERR_OK)
		speculation_start(arch_this_cpu()->id == 0);
	return err;
}

/* MAXPHYADDR. Intel SDM vol. 3 "Enumeration of Paging Features by CPUID". */
static unsigned max_phys_bits(void)
{
	if (cpuid(0x80000000, 0).eax < 0x80000008)
		return 36;
	return cpuid(0x80000008, 0).eax & 0xff;
}

enum err arch_npt_config(uint64_t gpa_end, const struct npt_ops **ops, struct npt_config *config)
{
	unsigned bits = max_phys_bits();

	*ops = virt->npt;
	*config = (struct npt_config){
		/* The guest's own page tables hold no address wider than the CPU's. */
		.gpa_bits = (uint8_t)min_u64(bits, NESTED_GPA_BITS),
		.hpa_bits = (uint8_t)bits,
		.page_memtypes = true,
	};
	virt->npt_config(config);
	return gpa_end <= BIT(config->gpa_bits) ? ERR_OK : ERR_RANGE;
}

unsigned arch_npt_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	struct vcpu *resident = arch_this_cpu()->resident;
	struct vm *vm;

	/* Neither vendor can flush a range of guest-physical addresses: all translations of the VM are flushed. */
	(void)gpa;
	(void)size;
	vm = CONTAINER_OF(as, struct vm, as);
	shootdown(vm);
	if (resident && resident->vm == vm)
		virt->flush(resident);
	return 1;
}

void arch_npt_flush_local(struct vcpu *vcpu, gpa_t gpa)
{
	(void)gpa;
	virt->flush(vcpu);
}

/* Caches are coherent for all accesses, whatever their memory type, but for those of devices that do not snoop. */
addr_space_sync arch_guest_sync(void)
{
	return NULL;
}

/*
 * Instruction caches snoop stores, by physical address, and nothing is prefetched from a page before it is mapped. Intel SDM
 * vol. 3 and AMD APM vol. 1, "Self-Modifying Code".
 */
addr_space_sync arch_guest_publish(void)
{
	return NULL;
}

addr_space_sync arch_guest_zero(void)
{
	return NULL;
}

void arch_vm_ram_layout(struct vm *vm, uint64_t ram)
{
	vm->ram[0] = (struct ram_range_gpa){ GPA(0), min_u64(ram, LOW_RAM_END) };
	vm->ram_ranges = 1;
	if (ram > LOW_RAM_END)
		vm->ram[vm->ram_ranges++] = (struct ram_range_gpa){ GPA(HIGH_RAM), ram - LOW_RAM_END };
}

static void set_line(struct device_table *table, unsigned line, bool level)
{
	ioapic_set_line(&CONTAINER_OF(table, struct vm, devices)->arch.ioapic, line, level);
}

static void power_off(struct acpi_power *power)
{
	vm_end(CONTAINER_OF(power, struct vm, arch.power), VM_EXITED, 0);
}

static void power_reset(struct acpi_power *power)
{
	vm_reset(CONTAINER_OF(power, struct vm, arch.power));
}

static void add_devices(struct vm *vm)
{
	device_add(&vm->devices, &vm->arch.console.device);
	apic_page_init(vm);
	device_add(&vm->devices, &vm->arch.ioapic.device);
	device_add(&vm->devices, &vm->arch.power.device);
	vm->devices.set_line = set_line;
}

static void identify(struct vm *vm)
{
	static uint64_t ids;

	vm->arch.id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
}

enum err arch_vm_init(struct vm *vm)
{
	identify(vm);
	vm->arch.clock_start = arch_clock();
	v16550_init(&vm->arch.console, IO_PORT, UART_PORT, UART_LINE);
	ioapic_init(&vm->arch.ioapic, GUEST_IOAPIC_PAGE, apic_take_message);
	acpi_power_init(&vm->arch.power, POWER_PORT, power_off, power_reset);
	add_devices(vm);
	return ERR_OK;
}

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	identify(child);
	child->arch.clock_start = parent->arch.clock_start;
	child->arch.console = parent->arch.console;
	child->arch.ioapic = parent->arch.ioapic;
	child->arch.power = parent->arch.power;
	add_devices(child);
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
	return EM_X86_64;
}

/* System V ABI, AMD64 Supplement, "Relocation Types". */
enum elf_relocation arch_elf_relocation(uint32_t type)
{
	enum { R_X86_64_RELATIVE = 8, R_X86_64_64 = 1, R_X86_64_GLOB_DAT = 6, R_X86_64_JUMP_SLOT = 7 };

	switch (type) {
	case 0:
		return ELF_RELOCATION_NONE;
	case R_X86_64_RELATIVE:
		return ELF_RELOCATION_RELATIVE;
	case R_X86_64_64:
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
		return ELF_RELOCATION_SYMBOL;
	default:
		return ELF_RELOCATION_OTHER;
	}
}

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(LOAD_FLOOR);
}

const struct linux_rules *arch_linux_rules(void)
{
	static const struct linux_rules none = { .magic = 0 };

	return &none;
}

const char *arch_linux_refuses(uint64_t flags)
{
	(void)flags;
	return NULL;
}

void arch_vcpu_run(struct vcpu *vcpu)
{
	virt->run(vcpu);
}

void arch_vcpu_decode(struct vcpu *vcpu, struct vm_exit *exit)
{
	virt->decode(vcpu, exit);
}

bool arch_handle_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->detail[0] = virt->get_gpr(vcpu, RAX);
	exit->detail[1] = vcpu->arch.gpr[RCX];
	return virt->handle_exit(vcpu, exit);
}

bool arch_decode_device(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct mmio_insn *insn = &vcpu->arch.mmio.insn;
	const struct guest_paging paging = guest_paging(vcpu);
	struct npt_fault fault = exit->fault;

	if (fault.on_guest_walk || fault.access & NPT_X || virt->in_delivery(vcpu))
		return false;
	if (!guest_move(vcpu, &paging, GVA(virt->get(vcpu, FIELD_CS_BASE) + virt->get(vcpu, FIELD_RIP)), virt->code_bits(vcpu)) ||
	    insn->write != (bool)(fault.access & NPT_W))
		return false;
	mmio_set_access(insn, fault.gpa.raw, insn->write ? virt->get_gpr(vcpu, insn->gpr) : 0, &exit->io);
	exit->kind = VM_EXIT_IO;
	return true;
}

static void finish_mmio(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const struct mmio_insn *insn = &vcpu->arch.mmio.insn;

	if (!insn->write)
		virt->set_gpr(vcpu, insn->gpr, mmio_loaded(insn, virt->get_gpr(vcpu, insn->gpr), exit->io.value));
	virt->step(vcpu, insn->length);
	apic_send_pending(vcpu);
}

void arch_vcpu_finish_io(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (exit->io.space == IO_MEMORY)
		finish_mmio(vcpu, exit);
	else
		virt->finish_io(vcpu, exit);
}

void arch_vcpu_finish_hypercall(struct vcpu *vcpu, uint64_t result)
{
	virt->finish_hypercall(vcpu, result);
}

bool arch_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	return virt->inject_denied(vcpu, exit);
}

void arch_exit_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size)
{
	if (size == 0)
		return;
	text[0] = '\0';
	virt->describe(vcpu, exit, text, size);
	if (exit->kind == VM_EXIT_ARCH || exit->kind == VM_EXIT_CRASH || exit->kind == VM_EXIT_ENTRY_FAILED)
		describe_code(vcpu, exit->kind == VM_EXIT_CRASH, text, size);
}

/* arch_handle_exit has kept RAX and RCX: they say which CPUID leaf it was, which MSR. */
void arch_exit_name(const struct vm_exit *exit, char *text, size_t size)
{
	virt->name_exit(exit->reason, text, size);
	text_add(text, size, " (%#lx)", exit->reason);
	if (exit->kind == VM_EXIT_ARCH)
		text_add(text, size, ", rax %#lx, rcx %#lx", exit->detail[0], exit->detail[1]);
}

void arch_vcpu_dump(struct vcpu *vcpu)
{
	static const char *const names[GPR_COUNT] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						      "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15" };
	char line[160];

	for (unsigned i = 0; i < GPR_COUNT; i += 4) {
		line[0] = '\0';
		for (unsigned j = i; j < i + 4; j++)
			text_add(line, sizeof(line), " %s %016lx", names[j], virt->get_gpr(vcpu, j));
		log_vm_err(vcpu->vm, "%s", line);
	}
	log_vm_err(vcpu->vm, " rip %016lx rflags %lx cs %04lx ss %04lx efer %lx", virt->get(vcpu, FIELD_RIP),
		   virt->get(vcpu, FIELD_RFLAGS), virt->get(vcpu, FIELD_CS), virt->get(vcpu, FIELD_SS),
		   virt->get(vcpu, FIELD_EFER));
	log_vm_err(vcpu->vm, " cr0 %016lx cr3 %016lx cr4 %016lx", virt->get(vcpu, FIELD_CR0), virt->get(vcpu, FIELD_CR3),
		   virt->get(vcpu, FIELD_CR4));
	log_vm_err(vcpu->vm, " gdt %016lx+%lx idt %016lx+%lx", virt->get(vcpu, FIELD_GDTR_BASE), virt->get(vcpu, FIELD_GDTR_LIMIT),
		   virt->get(vcpu, FIELD_IDTR_BASE), virt->get(vcpu, FIELD_IDTR_LIMIT));
}
