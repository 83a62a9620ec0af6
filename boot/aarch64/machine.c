/* SPDX-License-Identifier: BSD-2-Clause */
/* Owning an AArch64 CPU at EL2: interrupts silenced, our own map, our own stack. */
#include "include/arch/machine.h"

#include <string.h>

#include "include/arch/aarch64/guarded.h"
#include "vmm/aarch64/features.h"

/* What install_map (boot/aarch64/install.S) puts into the registers while translation is off. */
struct el2_regime {
	uint64_t ttbr0, tcr, mair, sctlr, hcr;
};

void install_map(const struct el2_regime *regime);

#define HOST_VA_BITS 48

/* In the order of npt/el2.c's indices. */
#define HOST_MAIR (MAIR_NORMAL_WB | MAIR_NORMAL_WT << 8 | MAIR_NORMAL_NC << 16 | MAIR_DEVICE_nGnRnE << 24)

enum err arch_mode_check(const char **why)
{
	switch (CURRENTEL_EL(read_sysreg(CurrentEL))) {
	case 2:
		return ERR_OK;
	case 3:
		*why = "the firmware starts us at EL3, which is secure firmware's own: it must start us at EL2";
		return ERR_UNSUPPORTED;
	default:
		*why = "the firmware starts us at EL1: only EL2 can run guests (in QEMU: -M virt,virtualization=on)";
		return ERR_UNSUPPORTED;
	}
}

static void silence_timers(void)
{
	/* With HCR_EL2.E2H the names of EL1's timers mean EL2's here: activation of our map clears that bit, and the
	 * world switch silences EL1's own. Arm ARM, "System and Special-purpose register redirection". */
	write_sysreg(cntp_ctl_el0, 0);
	write_sysreg(cntv_ctl_el0, 0);
	write_sysreg(cnthp_ctl_el2, 0);
	if (id_field(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_VH_SHIFT))
		write_sysreg(CNTHV_CTL_EL2, 0);
}

static void silence_counters(void)
{
	unsigned version = id_field(read_sysreg(id_aa64dfr0_el1), ID_AA64DFR0_PMUVER_SHIFT);

	if (version != 0 && version != PMUVER_IMPDEF)
		sysreg_try_write(pmintenclr_el1, UINT32_MAX);
}

/*
 * The CPU's end of a GICv3, if it has one and the firmware uses it by system registers. Whether there are such is not
 * asked of ID_AA64PFR0_EL1.GIC: a CPU that can may be built into a machine with an older GIC, or EL3 may keep the
 * registers from us. No other part of a GIC is touched: firmware's drivers switch off what they switched on, and there
 * may be none at all. GIC architecture specification (IHI 0069), "ICC_IGRPEN1_EL1", "ICC_PMR_EL1".
 */
static void silence_gic(void)
{
	uint64_t sre;

	if (!sysreg_try_read(ICC_SRE_EL2, &sre) || !(sre & ICC_SRE_SRE))
		return;
	sysreg_try_write(ICC_IGRPEN1_EL1, 0);
	sysreg_try_write(ICC_PMR_EL1, 0);
}

void arch_quiesce(void)
{
	/* Nothing is ever unmasked again while we run; while a guest runs, what arrives comes to EL2 (HCR_EL2). */
	__asm__ volatile("msr daifset, #0xf" : : : "memory");
	silence_timers();
	silence_counters();
	silence_gic();
	isb();
}

const struct npt_ops *arch_host_map_config(struct npt_config *config)
{
	*config = (struct npt_config){
		.levels = 4,
		.gpa_bits = HOST_VA_BITS,
		.hpa_bits = (uint8_t)pa_range_bits(cpu_pa_range()),
		.max_leaf = 2,
		.page_memtypes = true,
	};
	return &npt_el2_host;
}

/* "TCR_EL2, Translation Control Register (EL2)", with HCR_EL2.E2H 0. */
void arch_host_map_activate(hpa_t root)
{
	const struct el2_regime regime = {
		.ttbr0 = root.raw,
		.tcr = TCR_EL2_RES1 | TCR_T0SZ(HOST_VA_BITS) | TCR_IRGN0_WBWA | TCR_ORGN0_WBWA | TCR_SH0_INNER | TCR_TG0_4K |
		       (uint64_t)cpu_pa_range() << TCR_PS_SHIFT,
		.mair = HOST_MAIR,
		.sctlr = SCTLR_EL2_RES1 | SCTLR_I | SCTLR_SA | SCTLR_C | SCTLR_M,
		.hcr = HCR_HOST,
	};

	install_map(&regime);
}

/* Clear a block, and go on to the next. */
#define ZVA "dc zva, %0\n\tadd %0, %0, %1\n\t"

/*
 * DC ZVA clears a block without reading it first; DCZID_EL0 has its size, or says that DC ZVA must not be used.
 * Blocks are at least as large as a cache line, and at most 2 KiB.
 */
void arch_zero_pages(void *pages, uint64_t size)
{
	uint64_t at = (uintptr_t)pages, end = at + size, dczid = read_sysreg(dczid_el0);
	uint64_t block = UINT64_C(4) << (dczid & DCZID_BS);

	if (dczid & DCZID_DZP) {
		memset(pages, 0, size);
		return;
	}
	while (block <= PAGE_SIZE / 16 && at < end)
		__asm__ volatile(ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA ZVA
				 : "+r"(at)
				 : "r"(block)
				 : "memory");
	while (at < end)
		__asm__ volatile(ZVA : "+r"(at) : "r"(block) : "memory");
}

void arch_switch_stack(void *stack_top, void (*entry)(void))
{
	/* The null frame and return address end a stack trace. */
	__asm__ volatile("mov sp, %0\n\t"
			 "mov x29, xzr\n\t"
			 "mov x30, xzr\n\t"
			 "br %1"
			 :
			 : "r"(stack_top), "r"(entry)
			 : "memory");
	__builtin_unreachable();
}

/* None that all machines have. */
void arch_power_off(void)
{
}

void arch_halt(void)
{
	for (;;)
		__asm__ volatile("msr daifset, #0xf\n\twfi");
}
