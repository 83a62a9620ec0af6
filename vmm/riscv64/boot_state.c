/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest finds in its memory and registers when it starts: docs/guest-abi.md for RISC-V. Source of the conventions:
 * SBI specification, "Hart State Management Extension": state of a started hart; Linux Documentation/arch/riscv/boot.rst.
 *
 *     RAM base             the device tree
 *     RAM base + 2 MiB     programs, from here up
 */
#include "include/arch/virt.h"

#include "drivers/riscv64/hart.h"
#include "vmm/guest_fdt.h"
#include "vmm/vm_virtio.h"
#include "vmm/riscv64/riscv.h"
#include "vmm/text.h"

#define FDT_GPA GPA(GUEST_RAM_BASE)
_Static_assert(GUEST_GENERATION_PAGE >= GUEST_RAM_BASE + GUEST_FDT_MAX_BYTES && GUEST_GENERATION_PAGE < GUEST_LOAD_FLOOR,
	       "between the tree and programs");

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
	static struct spinlock lock = SPINLOCK(LOCK_BUFFER); /* of the tree */
	char isa[256];
	const struct guest_fdt guest = {
		.compatible = "riscv-virtio",
		.bootargs = vm->options.cmdline,
		.cpu = {
			.compatible = "riscv",
			.riscv_isa = isa,
			.mmu_type = hart_mmu_type(),
			.cbom_block = hart_cache_block(),
			.cboz_block = hart_zero_block(),
		},
		.timebase_hz = hart_timebase_hz(),
		.uart = GUEST_FDT_NS16550,
		.uart_base = GPA(GUEST_UART_BASE),
		.uart_size = GUEST_UART_SIZE,
		.uart_hz = GUEST_UART_HZ,
		.uart_line = GUEST_UART_LINE,
		.virtio_base = GPA(GUEST_VIRTIO_BASE),
		.virtio_step = GUEST_VIRTIO_STEP,
		.virtio_line = GUEST_VIRTIO_LINE,
		.virtio_count = VM_VIRTIO_DEVICES,
		.generation_line = GUEST_GENERATION_LINE,
		.intc = GUEST_FDT_PLIC,
		.intc_base = GPA(GUEST_PLIC_BASE),
		.intc_size = PLIC_SIZE,
		.intc_lines = PLIC_SOURCES,
	};
	size_t bytes;
	enum err err;

	make_isa_string(isa, sizeof(isa));
	spin_lock(&lock);
	err = guest_fdt_build(vm, &guest, tree, sizeof(tree), &bytes);
	if (err == ERR_OK)
		err = addr_space_write(&vm->as, FDT_GPA, tree, bytes);
	spin_unlock(&lock);
	return err;
}

enum err arch_vcpu_reset(struct vcpu *vcpu, gpa_t entry)
{
	struct vcpu_arch *arch = &vcpu->arch;
	enum err err = write_device_tree(vcpu->vm);

	if (err != ERR_OK)
		return err;
	vcpu->vm->arch.htimedelta = -csr_read(CSR_TIME); /* the guest's time starts at 0 */
	vcpu_clear(vcpu);
	arch->gpr[GPR_A0] = vcpu->id;
	arch->gpr[GPR_A1] = FDT_GPA.raw;
	arch->pc = entry.raw;
	return ERR_OK;
}

/* SBI 9.1 "Function: Hart start" */
void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	struct vcpu_arch *arch = &vcpu->arch;

	(void)by;
	vcpu_clear(vcpu);
	arch->gpr[GPR_A0] = vcpu->id;
	arch->gpr[GPR_A1] = argument;
	arch->pc = entry;
}
