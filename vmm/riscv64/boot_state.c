/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest finds in its memory and registers when it starts: docs/guest-abi.md for RISC-V. Source of the conventions:
 * SBI specification, "Hart State Management Extension": state of a started hart; Linux Documentation/arch/riscv/boot.rst.
 *
 *     RAM base             the device tree
 *     RAM base + 2 MiB     programs, from here up
 */
#include "include/arch/virt.h"

#include <string.h>

#include "drivers/riscv64/hart.h"
#include "include/arch/riscv64/guarded.h"
#include "include/arch/riscv64/insn.h"
#include "vmm/guest_fdt.h"
#include "vmm/riscv64/riscv.h"
#include "vmm/text.h"

#define FDT_GPA GPA(GUEST_RAM_BASE)

/*
 * Extensions the guest may use when the machine lists them, in the order of the ISA string: those whose state the
 * hypervisor does not touch, and whose instructions do in VS-mode what they do in S-mode, given these bits of henvcfg.
 */
static const struct {
	const char *name;
	uint64_t needs;
} guest_extensions[] = {
	{ "zicbom", HENVCFG_CBCFE | HENVCFG_CBIE_FLUSH },
	{ "zicbop", 0 },
	{ "zicboz", HENVCFG_CBZE },
	{ "zicntr", 0 },
	{ "zicond", 0 },
	{ "zicsr", 0 },
	{ "zifencei", 0 },
	{ "zihintntl", 0 },
	{ "zihintpause", 0 },
	{ "zfa", 0 },
	{ "zfh", 0 },
	{ "zfhmin", 0 },
	{ "zca", 0 },
	{ "zcb", 0 },
	{ "zcd", 0 },
	{ "zba", 0 },
	{ "zbb", 0 },
	{ "zbc", 0 },
	{ "zbkb", 0 },
	{ "zbkc", 0 },
	{ "zbkx", 0 },
	{ "zbs", 0 },
	{ "zknd", 0 },
	{ "zkne", 0 },
	{ "zknh", 0 },
	{ "zksed", 0 },
	{ "zksh", 0 },
	{ "zkt", 0 },
	{ "sstc", HENVCFG_STCE },
	{ "svadu", HENVCFG_ADUE },
	{ "svinval", 0 },
	{ "svnapot", 0 },
	{ "svpbmt", HENVCFG_PBMTE },
};

/* Without a device tree, what the hypervisor itself needs, and FP where it can be switched on. */
static void make_isa_string(char *text, size_t size)
{
	static const char *const fp[] = { [0] = "", [4] = "f", [8] = "fd" };

	text[0] = '\0';
	text_add(text, size, "rv64ima%sc%s", fp[riscv_features.fp_bytes],
		 riscv_features.vectors && hart_has_extension("v") ? "v" : "");
	for (size_t i = 0; i < ARRAY_LEN(guest_extensions); i++) {
		uint64_t needs = guest_extensions[i].needs;

		if ((riscv_features.henvcfg & needs) == needs && hart_has_extension(guest_extensions[i].name))
			text_add(text, size, "_%s", guest_extensions[i].name);
	}
}

static enum err write_device_tree(struct vm *vm)
{
	static uint64_t tree[GUEST_FDT_MAX_BYTES / sizeof(uint64_t)];
	char isa[256];
	const struct guest_fdt guest = {
		.compatible = "riscv-virtio",
		.bootargs = vm->options.cmdline,
		.cpu = {
			.compatible = "riscv",
			.id = GUEST_HART_ID,
			.riscv_isa = isa,
			.mmu_type = hart_mmu_type(),
		},
		.timebase_hz = hart_timebase_hz(),
		.uart = GUEST_FDT_NS16550,
		.uart_base = GPA(GUEST_UART_BASE),
		.uart_size = GUEST_UART_SIZE,
		.uart_hz = GUEST_UART_HZ,
	};
	size_t bytes;
	enum err err;

	make_isa_string(isa, sizeof(isa));
	err = guest_fdt_build(vm, &guest, tree, sizeof(tree), &bytes);
	return err == ERR_OK ? addr_space_write(&vm->as, FDT_GPA, tree, bytes) : err;
}

/*
 * Registers that not every hart has. Of the Advanced Interrupt Architecture a guest has what has no effect without
 * interrupt files: "hvictl", "hvien" and "hviprio" are about virtual interrupts that nobody raises here. "Smstateen":
 * senvcfg, and nothing that later extensions bring.
 */
static void reset_optional(void)
{
	csr_try_write(CSR_HVICTL, 0);
	csr_try_write(CSR_HVIEN, 0);
	csr_try_write(CSR_HVIPRIO1, 0);
	csr_try_write(CSR_HVIPRIO2, 0);
	csr_try_write(CSR_HSTATEEN0, HSTATEEN0_SENVCFG);
	csr_try_write(CSR_HSTATEEN1, 0);
	csr_try_write(CSR_HSTATEEN2, 0);
	csr_try_write(CSR_HSTATEEN3, 0);
	write_optional(&(const struct kept_state){ 0 });
}

/* What firmware has left in them is not the guest's to see. */
static void reset_units(void)
{
	if (riscv_features.fp_bytes == 8)
		fp_clear();
	else if (riscv_features.fp_bytes == 4)
		fp_clear_single();
	if (riscv_features.vectors)
		vector_clear();
}

/*
 * FP and vector units are on in sstatus, which leaves it to the guest's vsstatus whether it may use them: those registers
 * hold the guest's values all the time, since nothing in the hypervisor uses them. vsstatus starts with both off.
 */
static void reset_csrs(void)
{
	csr_clear(CSR_SSTATUS, SSTATUS_FS | SSTATUS_VS);
	csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL | SSTATUS_SPP | SSTATUS_SPIE);
	reset_units();
	csr_try_write(CSR_HENVCFG, riscv_features.henvcfg);
	reset_optional();
	csr_write(CSR_SCOUNTEREN, 0);
	csr_write(CSR_VSSTATUS, SSTATUS_UXL_64);
	csr_write(CSR_VSIE, 0);
	csr_write(CSR_VSTVEC, 0);
	csr_write(CSR_VSSCRATCH, 0);
	csr_write(CSR_VSEPC, 0);
	csr_write(CSR_VSCAUSE, 0);
	csr_write(CSR_VSTVAL, 0);
	csr_write(CSR_VSATP, 0);
	hfence_vvma_all();
	/* The guest's time starts at 0. */
	csr_write(CSR_HTIMEDELTA, -csr_read(CSR_TIME));
	/*
	 * sret goes to V=1, there to VS-mode by sstatus.SPP. WFI traps: nobody else would end a wait for nothing. This
	 * comes last, because what was tried above may have trapped and changed it.
	 */
	csr_write(CSR_HSTATUS, HSTATUS_VSXL_64 | HSTATUS_VTW | HSTATUS_SPVP | HSTATUS_SPV);
}

enum err arch_vcpu_reset(struct vcpu *vcpu, gpa_t entry)
{
	struct vcpu_arch *arch = &vcpu->arch;
	enum err err;

	reset_csrs(); /* before the tree is made: the ISA string depends on what sticks */
	timer_reset(vcpu);
	err = write_device_tree(vcpu->vm);
	if (err != ERR_OK)
		return err;
	memset(arch->gpr, 0, sizeof(arch->gpr));
	arch->gpr[GPR_A0] = GUEST_HART_ID;
	arch->gpr[GPR_A1] = FDT_GPA.raw;
	arch->pc = entry.raw;
	arch_vcpu_put(vcpu);
	return ERR_OK;
}

/* SBI HSM "hart_start"; time runs as for the others. */
void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	uint64_t delta = csr_read(CSR_HTIMEDELTA);
	struct vcpu_arch *arch = &vcpu->arch;

	arch_vcpu_put(by);
	reset_csrs();
	csr_write(CSR_HTIMEDELTA, delta);
	timer_reset(vcpu);
	memset(arch->gpr, 0, sizeof(arch->gpr));
	arch->gpr[GPR_A0] = vcpu->id;
	arch->gpr[GPR_A1] = argument;
	arch->pc = entry;
	arch_vcpu_put(vcpu);
	arch_vcpu_get(by);
}
