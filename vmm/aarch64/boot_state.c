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

/* Page-wise, as a kernel wants it: it lies at the start of RAM, below the first place for a program. */
#define FDT_GPA GPA(GUEST_RAM_BASE)

static enum err write_fdt(struct vm *vm)
{
	static uint64_t fdt[GUEST_FDT_MAX_BYTES / sizeof(uint64_t)];
	const struct guest_fdt guest = {
		.compatible = "linux,dummy-virt",
		.bootargs = vm->options.cmdline,
		.cpu = { .compatible = "arm,armv8", .enable_method = "psci" },
		.psci = true,
		.uart = GUEST_FDT_PL011,
		.uart_base = GPA(GUEST_UART_BASE),
		.uart_size = GUEST_UART_SIZE,
		.uart_hz = GUEST_UART_HZ,
	};
	size_t bytes;
	enum err err = guest_fdt_build(vm, &guest, fdt, sizeof(fdt), &bytes);

	return err == ERR_OK ? addr_space_write(&vm->as, FDT_GPA, fdt, bytes) : err;
}

/* The keys hold what firmware left, and EL1's accesses to them do not trap. */
static void reset_pointer_authentication(void)
{
	static const uint64_t none[PAUTH_KEYS];

	write_pauth_keys(none);
}

/* What EL2 decides of this guest. */
static void enter_el2(const struct vcpu *vcpu, uint64_t offset)
{
	write_sysreg(cntvoff_el2, offset);
	write_sysreg(vmpidr_el2, MPIDR_RES1 | vcpu->id);
}

static void reset_el1(void)
{
	write_sysreg(sctlr_el1, SCTLR_EL1_RESET);
	write_sysreg(tcr_el1, 0);
	write_sysreg(ttbr0_el1, 0);
	write_sysreg(ttbr1_el1, 0);
	write_sysreg(mair_el1, 0);
	write_sysreg(amair_el1, 0);
	write_sysreg(vbar_el1, 0);
	write_sysreg(cpacr_el1, 0);
	write_sysreg(contextidr_el1, 0);
	write_sysreg(tpidr_el1, 0);
	write_sysreg(tpidr_el0, 0);
	write_sysreg(tpidrro_el0, 0);
	write_sysreg(esr_el1, 0);
	write_sysreg(far_el1, 0);
	write_sysreg(afsr0_el1, 0);
	write_sysreg(afsr1_el1, 0);
	write_sysreg(par_el1, 0);
	write_sysreg(elr_el1, 0);
	write_sysreg(spsr_el1, 0);
	write_sysreg(sp_el0, 0);
	write_sysreg(sp_el1, 0);
	write_sysreg(csselr_el1, 0);
	write_sysreg(mdscr_el1, 0);
	write_sysreg(cntkctl_el1, 0);
	write_sysreg(cntv_ctl_el0, 0);
	write_sysreg(cntv_cval_el0, 0);
	write_sysreg(cntp_ctl_el0, 0);
	write_sysreg(cntp_cval_el0, 0);
}

/* By way of this CPU, where no vCPU is resident. */
static void reset(struct vcpu *vcpu, uint64_t offset)
{
	enter_el2(vcpu, offset);
	reset_el1();
	if (cpu_has_pointer_authentication())
		reset_pointer_authentication();
	write_extra_registers(&(const struct extra_registers){ 0 });
	reset_fp();
	arch_vcpu_put(vcpu);
}

enum err arch_vcpu_reset(struct vcpu *vcpu, gpa_t entry)
{
	enum err err = write_fdt(vcpu->vm);

	if (err != ERR_OK)
		return err;
	vcpu->arch = (struct vcpu_arch){
		.x[0] = FDT_GPA.raw,
		.pc = entry.raw,
		.pstate = PSTATE_EL1H | PSTATE_DAIF,
	};
	/* Its virtual time begins now. */
	reset(vcpu, read_sysreg(cntpct_el0));
	return ERR_OK;
}

/* PSCI "CPU_ON": as at the boot, with the MMU off; time runs as for the others. */
void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	uint64_t offset = read_sysreg(cntvoff_el2);

	vcpu->arch = (struct vcpu_arch){
		.x[0] = argument,
		.pc = entry,
		.pstate = PSTATE_EL1H | PSTATE_DAIF,
	};
	arch_vcpu_put(by);
	reset(vcpu, offset);
	arch_vcpu_get(by);
}
