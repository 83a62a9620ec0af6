/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an AArch64 CPU at EL2 finds by its registers. Source: Arm ARM (DDI 0487), "TTBR0_EL2", "TCR_EL2", "VBAR_EL2",
 * "Translation table base address register".
 */
#include "include/arch/machine.h"

#include "include/arch/aarch64/insn.h"
#include "include/log.h"
#include "npt/foreign.h"

/* UEFI specification 2.10, "AArch64 Platforms": at least so much stack is available to us; where it begins is not specified. */
#define STACK_BYTES   KIB(128)
#define VECTORS_BYTES KIB(2)

struct in_use {
	arch_region_visitor visit;
	void *context;
};

static bool visit_table(hpa_t table, void *context)
{
	const struct in_use *use = context;

	return use->visit(table, PAGE_SIZE, use->context);
}

/* One to one is the lower range of addresses, TTBR0's, also with HCR_EL2.E2H; T0SZ, TG0 and entries of tables are the same then. */
static void visit_tables(struct in_use *use)
{
	uint64_t tcr = read_sysreg(tcr_el2), bits = 64 - (tcr & TCR_T0SZ_MASK);
	const struct npt_config config = {
		.levels = (uint8_t)((bits - PAGE_SHIFT + NPT_INDEX_BITS - 1) / NPT_INDEX_BITS),
		.gpa_bits = (uint8_t)bits,
	};

	if (!(read_sysreg(sctlr_el2) & SCTLR_M))
		return;
	if ((tcr & TCR_TG0) != TCR_TG0_4K || config.levels > 4) {
		log_warn("boot: the firmware's tables have no pages of 4 KiB, or more than 4 levels: they are not looked after");
		return;
	}
	npt_visit_tables(&npt_el2_host, &config, HPA(read_sysreg(ttbr0_el2) & TTBR_BADDR), 0, visit_table, use);
}

void arch_in_use(arch_region_visitor visit, void *context)
{
	struct in_use use = { visit, context };
	uint64_t stack = align_down((uintptr_t)__builtin_frame_address(0), PAGE_SIZE);

	visit_tables(&use);
	visit(HPA(read_sysreg(vbar_el2)), VECTORS_BYTES, context);
	visit(HPA(stack > STACK_BYTES ? stack - STACK_BYTES : 0), 2 * STACK_BYTES, context);
}
