/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AArch64: an exception to EL2 decoded by its syndrome. Input: a byte of flags, ESR_EL2, FAR_EL2, HPFAR_EL2, what the guest's
 * stage 1 says (PAR_EL1), and the guest's pc and PSTATE.
 */
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#include "vmm/aarch64/exit.c"
#include "vmm/aarch64/esr.c"
#include "vmm/aarch64/inject.c"
#include "vmm/aarch64/sysreg.c"

#define RAM_SIZE MIB(64)

bool host_e2h;

uint64_t *fake_sysreg(const char *name)
{
	static const char *const names[] = {
		"esr_el2", "far_el2", "hpfar_el2", "par_el1", "vbar_el1", "sctlr_el1", "elr_el1", "spsr_el1", "esr_el1",
	};
	static uint64_t registers[ARRAY_LEN(names) + 1]; /* the last one is all others */
	size_t i = 0;

	while (i < ARRAY_LEN(names) && strcmp(names[i], name) != 0)
		i++;
	return &registers[i];
}

static struct io_device uart = { .space = IO_MEMORY, .base = GUEST_UART_BASE, .size = GUEST_UART_SIZE, .slow = true };

static struct io_device gicc = { .space = IO_MEMORY, .base = GUEST_GICC_BASE, .size = PAGE_SIZE, .slow = true };

uint64_t guest_id_register(const struct vm *vm, unsigned crm, unsigned op2)
{
	(void)vm;
	CHECK(crm >= 1 && crm <= 7 && op2 <= 7, "crm %u, op2 %u", crm, op2);
	return 0x1234;
}

/* A GIC at the CPU would have these; and an interrupt is there or not. */
bool interrupts_sysreg_read(uint32_t id, uint64_t *value)
{
	*value = 0x5678;
	return id == ICC_SRE;
}

bool interrupts_sysreg_write(struct vcpu *vcpu, uint32_t id, uint64_t value)
{
	(void)value;
	CHECK(vcpu->vm != NULL, "%#x", id);
	return id == ICC_SGI1R;
}

bool interrupts_access(struct vcpu *vcpu, uint64_t gpa, bool write, uint32_t *value)
{
	(void)vcpu;
	CHECK(gpa - GUEST_GICC_BASE < PAGE_SIZE && (write || *value == 0), "%#jx", (uintmax_t)gpa);
	return write;
}

bool interrupts_wait(struct vcpu *vcpu)
{
	return vcpu->arch.pstate & PSTATE_NZCV;
}

/* Arm ARM, ISS of a data abort: a register's value comes and goes in the size that SAS says. */
static void check_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vcpu_arch *arch = &vcpu->arch;
	unsigned srt = arch->esr >> 16 & 31, bits = 8u << (arch->esr >> 22 & 3);
	uint64_t pc = arch->pc, mask = ~UINT64_C(0) >> (64 - bits), wanted;

	CHECK(arch->esr >> 24 & 1, "without ISV nothing is known of the access");
	CHECK(device_is_at(&vcpu->vm->devices, exit->io.space, exit->io.addr), "%#jx", (uintmax_t)exit->io.addr);
	CHECK_EQ(exit->io.size, bits / 8);
	CHECK_EQ(exit->io.write, arch->esr >> 6 & 1);
	if (exit->io.write)
		CHECK_EQ(exit->io.value, srt == 31 ? 0 : arch->x[srt] & mask);
	else
		exit->io.value = 0x8182838485868788 & mask;
	wanted = exit->io.value;
	if (arch->esr >> 21 & 1 && wanted >> (bits - 1) & 1) /* SSE */
		wanted |= ~mask;
	if (!(arch->esr >> 15 & 1)) /* SF */
		wanted = (uint32_t)wanted;
	if (exit->io.write)
		wanted = arch->x[srt];
	arch_vcpu_finish_io(vcpu, exit);
	CHECK_EQ(arch->x[srt], wanted);
	CHECK_EQ(arch->pc, pc + (arch->esr >> 25 & 1 ? 4 : 2));
}

/* Interrupts are not what this is about: one is left, or there was none. */
unsigned vm_take_interrupts(struct vcpu *vcpu)
{
	CHECK_EQ(vm_last_exit(vcpu)->kind, VM_EXIT_INTERRUPT);
	return vcpu->arch.pstate & PSTATE_NZCV ? EXIT_INTERRUPTED : 0;
}

static uint64_t told_hpfar;

/* As entry.S does. Neither register is read once more: a hypervisor that lends its EL2 may trap each read. */
static unsigned leave(struct vcpu *vcpu, uint64_t esr)
{
	uint64_t far = *fake_sysreg("far_el2"), hpfar = *fake_sysreg("hpfar_el2");

	told_hpfar = hpfar;
	*fake_sysreg("far_el2") = ~far;
	*fake_sysreg("hpfar_el2") = ~hpfar;
	if (!(esr >> 31 & 1))
		return vcpu_exit(vcpu, esr);
	return (hpfar >> 22 == 0 ? vcpu_exit_device : vcpu_exit_abort)(vcpu, esr, far, hpfar);
}

static void check_fault(const struct npt_fault *fault)
{
	CHECK(fault->access > 0 && fault->access <= NPT_RWX, "access %u", fault->access);
	/* One that finds a device is to be denied. */
	if (fault->on_guest_walk)
		CHECK_EQ(!!(fault->access & NPT_X), fault->present && fault->gpa.raw < GUEST_RAM_BASE);
	if (fault->on_guest_walk || !fault->present)
		CHECK_EQ(fault->gpa.raw / PAGE_SIZE, (told_hpfar & BITS(43, 4)) >> 4);
}

static void check_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	switch (exit->kind) {
	case VM_EXIT_FAULT:
		check_fault(&exit->fault);
		break;
	case VM_EXIT_IO:
		check_io(vcpu, exit);
		break;
	case VM_EXIT_ARCH:
	case VM_EXIT_CRASH:
	case VM_EXIT_HYPERCALL:
	case VM_EXIT_HALT:
	case VM_EXIT_INTERRUPT:
		break;
	default:
		CHECK(false, "kind %d", (int)exit->kind);
	}
}

static void check_names(uint64_t esr)
{
	char text[64];

	memset(text, '?', sizeof(text));
	esr_fault_name(esr, text, sizeof(text));
	fuzz_check_reason(text, sizeof(text));
	CHECK(*esr_class_name(esr), "class %u", ESR_EC(esr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const told[] = { "far_el2", "hpfar_el2", "par_el1", "vbar_el1", "sctlr_el1" };
	struct host_rng rng = host_rng_of_bytes(data, size);
	unsigned flags = (unsigned)host_below(&rng, 256);
	static struct vm vm;
	struct vcpu *vcpu = &vm.vcpu;
	struct vm_exit *exit;
	uint64_t esr = host_random(&rng);

	if (flags & 1) /* where a device is */
		esr = (esr & ~((uint64_t)0x3f << 26 | 0x3f | BIT(7))) | (uint64_t)EC_DABT_LOW << 26 | FSC_TRANSLATION;
	*fake_sysreg("esr_el2") = esr;
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		*fake_sysreg(told[i]) = host_random(&rng);
	if (flags & 1)
		*fake_sysreg("hpfar_el2") = (flags & 8 ? GUEST_GICC_BASE : GUEST_UART_BASE) >> 8;
	vm.devices = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .device = { &uart, &gicc }, .count = 2 };
	vm.time_max = NEVER;
	vm.ram[0].start = GPA(GUEST_RAM_BASE);
	vm.ram[0].size = RAM_SIZE;
	vm.ram_ranges = 1;
	vcpu->vm = &vm;
	vcpu->arch = (struct vcpu_arch){ 0 };
	vcpu->arch.pc = flags & 2 ? *fake_sysreg("vbar_el1") + (host_random(&rng) & 0x780) : host_random(&rng);
	vcpu->arch.pstate = host_random(&rng);
	for (size_t i = 0; i < 32; i++) /* 31 is where loads into no register go */
		vcpu->arch.x[i] = ~i * 0x0181018101810181;
	check_names(esr);
	exit = fuzz_decode(vcpu, flags & 4 ? vcpu_exit_interrupt(vcpu, GUEST_EXIT_IRQ) : leave(vcpu, esr), arch_vcpu_decode);
	CHECK_EQ(exit->reason, flags & 4 ? GUEST_EXIT_IRQ : esr);
	check_exit(vcpu, exit);
	if (!(flags & 4) && ESR_EC(esr) == EC_SYSREG)
		emulate_sysreg(vcpu);
	return 0;
}
