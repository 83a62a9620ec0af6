/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hart in HS-mode finds by its registers. Source: RISC-V Privileged, "satp", "stvec". */
#include "include/arch/machine.h"

#include "include/arch/riscv64/csr.h"
#include "npt/foreign.h"

/* UEFI specification 2.10, "RISC-V Platforms": at least so much stack is available to us; where it begins is not specified. */
#define STACK_BYTES KIB(128)
#define STVEC_BASE  (~UINT64_C(3))

struct in_use {
	arch_region_visitor visit;
	void *context;
};

static bool visit_table(hpa_t table, void *context)
{
	const struct in_use *use = context;

	return use->visit(table, PAGE_SIZE, use->context);
}

void arch_in_use(arch_region_visitor visit, void *context)
{
	struct in_use use = { visit, context };
	uint64_t satp = csr_read(CSR_SATP), mode = satp >> ATP_MODE_SHIFT;
	uint64_t stack = align_down((uintptr_t)__builtin_frame_address(0), PAGE_SIZE);

	if (mode >= ATP_SV39 && mode <= ATP_SV57) {
		const unsigned levels = (unsigned)mode - ATP_SV39 + 3;
		/* One less than the whole width, for which the format has the sign's bit. */
		const struct npt_config config = {
			.levels = (uint8_t)levels,
			.gpa_bits = (uint8_t)(PAGE_SHIFT + NPT_INDEX_BITS * levels - 1),
		};

		npt_visit_tables(&npt_riscv_host, &config, HPA((satp & ATP_PPN) << PAGE_SHIFT), 0, visit_table, &use);
	}
	visit(HPA(csr_read(CSR_STVEC) & STVEC_BASE), PAGE_SIZE, context);
	visit(HPA(stack > STACK_BYTES ? stack - STACK_BYTES : 0), 2 * STACK_BYTES, context);
}
