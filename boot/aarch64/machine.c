/* SPDX-License-Identifier: BSD-2-Clause */
/* Owning an AArch64 CPU at EL2: interrupts silenced, our own map, our own stack. */
#include "include/arch/machine.h"

#include <string.h>

#include "boot/aarch64/places.h"
#include "boot/aarch64/quiet.h"
#include "include/arch/aarch64/e2h.h"
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

/* CPUs of spin tables are called in here, because the firmware's map is the last one that has all of its memory. */
void arch_quiesce(void)
{
	quiet_cpu();
	places_take_pens();
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
	return host_e2h ? &npt_el20_host : &npt_el2_host;
}

/* "TCR_EL2, Translation Control Register (EL2)". With HCR_EL2.E2H there is a second range of addresses, which is not used. */
static uint64_t host_tcr(void)
{
	const uint64_t tcr = TCR_T0SZ(HOST_VA_BITS) | TCR_IRGN0_WBWA | TCR_ORGN0_WBWA | TCR_SH0_INNER | TCR_TG0_4K;
	const uint64_t size = cpu_pa_range();

	if (!host_e2h)
		return tcr | TCR_EL2_RES1 | size << TCR_PS_SHIFT;
	return tcr | TCR_E2H_EPD1 | TCR_T0SZ(HOST_VA_BITS) << TCR_E2H_T1SZ_SHIFT | TCR_E2H_TG1_4K | size << TCR_E2H_IPS_SHIFT;
}

void arch_host_map_activate(hpa_t root)
{
	const struct el2_regime regime = {
		.ttbr0 = root.raw,
		.tcr = host_tcr(),
		.mair = HOST_MAIR,
		.sctlr = SCTLR_EL2_RES1 | SCTLR_I | SCTLR_SA | SCTLR_C | SCTLR_M,
		.hcr = host_hcr(),
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

void arch_copy_page(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
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
	write_sysreg(cnthp_ctl_el2, 0);
	for (;;)
		__asm__ volatile("msr daifset, #0xf\n\twfi");
}
