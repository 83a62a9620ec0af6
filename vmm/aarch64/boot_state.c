/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest finds in its memory and registers when it starts: docs/guest-abi.md for AArch64.
 * Sources: Linux Documentation/arch/arm64/booting.rst, "Call the kernel image"; Arm ARM (DDI 0487), each register's
 * description; its reset values are mostly UNKNOWN, so every register of EL1 gets a value.
 */
#include "include/arch/virt.h"

#include "include/arch/aarch64/insn.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"
#include "vmm/guest_fdt.h"
#include "vmm/vm_virtio.h"

/* Page-wise, as a kernel wants it: it lies at the start of RAM, below the first place for a program. */
#define FDT_GPA GPA(GUEST_RAM_BASE)
_Static_assert(GUEST_GENERATION_PAGE >= GUEST_RAM_BASE + GUEST_FDT_MAX_BYTES && GUEST_GENERATION_PAGE < GUEST_LOAD_FLOOR,
	       "between the tree and programs");

/* VMs may be loaded by several CPUs at once; the tree is large for a stack. */
static enum err write_fdt(struct vm *vm)
{
	static uint64_t fdt[GUEST_FDT_MAX_BYTES / sizeof(uint64_t)];
	static struct spinlock lock = SPINLOCK(LOCK_BUFFER);
	const bool has_v3 = guests_have_gicv3();
	const struct guest_fdt guest = {
		.compatible = "linux,dummy-virt",
		.bootargs = vm->options.cmdline,
		.cpu = { .compatible = "arm,armv8", .enable_method = "psci" },
		.psci = true,
		.uart = GUEST_FDT_PL011,
		.uart_base = GPA(GUEST_UART_BASE),
		.uart_size = GUEST_UART_SIZE,
		.uart_hz = GUEST_UART_HZ,
		.uart_line = GUEST_UART_LINE,
		.virtio_base = GPA(GUEST_VIRTIO_BASE),
		.virtio_step = GUEST_VIRTIO_STEP,
		.virtio_line = GUEST_VIRTIO_LINE,
		.virtio_count = VM_VIRTIO_DEVICES,
		.generation_line = GUEST_GENERATION_LINE,
		.intc = has_v3 ? GUEST_FDT_GICV3 : GUEST_FDT_GICV2,
		.intc_base = GPA(GUEST_GICD_BASE),
		.intc_size = VGICV2_GICD_BYTES,
		.intc_cpus = vm->arch.gic.cpus,
		.intc_cpus_base = GPA(has_v3 ? GUEST_GICR_BASE : GUEST_GICC_BASE),
		.intc_cpus_size = has_v3 ? vm->arch.gicv3.redistributors.size : VGICV2_GICC_BYTES,
	};
	size_t bytes;
	enum err err;

	spin_lock(&lock);
	err = guest_fdt_build(vm, &guest, fdt, sizeof(fdt), &bytes);
	if (err == ERR_OK)
		err = addr_space_write(&vm->as, FDT_GPA, fdt, bytes);
	spin_unlock(&lock);
	return err;
}

/* The entry state, in memory: all that is not named here is 0. */
static void reset(struct vcpu *vcpu, uint64_t entry, uint64_t argument)
{
	vcpu->arch = (struct vcpu_arch){
		.x[0] = argument,
		.pc = entry,
		.pstate = PSTATE_EL1H | PSTATE_DAIF,
		.kept.el1.sctlr_el1 = SCTLR_EL1_RESET,
	};
}

enum err arch_vcpu_reset(struct vcpu *vcpu, gpa_t entry)
{
	enum err err = write_fdt(vcpu->vm);

	if (err != ERR_OK)
		return err;
	reset(vcpu, entry.raw, FDT_GPA.raw);
	return ERR_OK;
}

/* PSCI (DEN0022), "CPU_ON": as at the boot, with the MMU off. */
void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	(void)by;
	reset(vcpu, entry, argument);
}
