/* SPDX-License-Identifier: BSD-2-Clause */
/* One table with every format under test. */
#include "tests/host/formats.h"

#include "include/arch/x86_64/msr.h" /* HOST_PAT: what boot programs must be what the entries rely on */
#include "tests/host/fixture.h"

#define TYPE(name) (1u << NPT_##name)

#define X86_TYPES   (TYPE(WB) | TYPE(WT) | TYPE(WP) | TYPE(WC) | TYPE(UC))
#define ARM_TYPES   (TYPE(WB) | TYPE(WT) | TYPE(WC) | TYPE(UC))
#define RISCV_TYPES (TYPE(WB) | TYPE(WC) | TYPE(UC)) /* and Arm with FWB */

#define EPT                                                                                                                  \
	.ops = &npt_ept, .oracle = &oracle_ept, .report_name = "ept", .types = X86_TYPES, .accessed_bit = 8, .dirty_bit = 9, \
	.keeps_dirty = true, .address = BITS(51, 12), .valid = 7, .tracked_bit = 53, .tracked_shift = 54, .shared_bit = 52
#define AMD                                                                                                \
	.oracle = &oracle_amd, .types = X86_TYPES, .accessed_bit = 5, .dirty_bit = 6, .keeps_dirty = true, \
	.address = BITS(51, 12), .valid = 1, .tracked_bit = 53, .shared_bit = 52
#define ARM_BITS .address = BITS(47, 12), .valid = 1, .tracked_bit = 57, .shared_bit = 56
#define STAGE2_FWB                                                                                       \
	.ops = &npt_stage2_fwb, .oracle = &oracle_stage2, .report_name = "stage2", .types = RISCV_TYPES, \
	.break_before_make = true, .accessed_bit = 10, .dirty_bit = 7, .keeps_dirty = true, ARM_BITS, .fwb = true
#define STAGE2                                                                                                                \
	.ops = &npt_stage2, .oracle = &oracle_stage2, .report_name = "stage2", .types = ARM_TYPES, .break_before_make = true, \
	.accessed_bit = 10, .dirty_bit = 7, .keeps_dirty = true, ARM_BITS
#define EL2_COMMON \
	.types = ARM_TYPES, .break_before_make = true, .accessed_bit = 10, .keeps_dirty = true, ARM_BITS, .supervisor = true
#define EL2  EL2_COMMON, .ops = &npt_el2_host, .oracle = &oracle_el2, .report_name = "el2_host"
#define EL20 EL2_COMMON, .ops = &npt_el20_host, .oracle = &oracle_el20, .report_name = "el20_host"
#define RISCV                                                                                                     \
	.oracle = &oracle_riscv, .accessed_bit = 6, .dirty_bit = 7, .keeps_dirty = true, .address = BITS(53, 10), \
	.address_shift = 2, .valid = 1, .tracked_bit = 9, .shared_bit = 8
#define X4      RISCV, .ops = &npt_riscv_x4, .root_order = 2
#define RV_HOST RISCV, .ops = &npt_riscv_host, .supervisor = true

#define GEOMETRY(l, g, h, m) .levels = (l), .gpa_bits = (g), .hpa_bits = (h), .max_leaf = (m)

/* As boot/aarch64/machine.c programs MAIR_EL2: Normal write-back, write-through, non-cacheable, Device-nGnRnE. */
#define HOST_MAIR 0x0044bbff

#define LOW  0x40000000   /* tables below the guest addresses in use */
#define HIGH 0x8000000000 /* and far above: phys_to_virt wraps around */

const struct format_case formats[] = {
	{ .name = "ept4",
	  EPT,
	  .exec_only = true,
	  .tables_at = HIGH,
	  .config = { GEOMETRY(4, 48, 46, 2), .hardware_ad = true, .exec_only = true, .page_memtypes = true } },
	{ .name = "ept4-old", EPT, .tables_at = LOW, .config = { GEOMETRY(4, 39, 36, 1), .page_memtypes = true } },
	{ .name = "ept4-software",
	  EPT,
	  .exec_only = true,
	  .tables_at = LOW,
	  .config = { GEOMETRY(4, 48, 40, 2), .exec_only = true, .page_memtypes = true } },
	{ .name = "ept5",
	  EPT,
	  .tables_at = HIGH,
	  .config = { GEOMETRY(5, 57, 52, 2), .hardware_ad = true, .page_memtypes = true } },
	{ .name = "amd4",
	  AMD,
	  .ops = &npt_amd,
	  .report_name = "npt",
	  .tables_at = LOW,
	  .config = { GEOMETRY(4, 48, 48, 2), .hardware_ad = true, .page_memtypes = true } },
	{ .name = "amd5",
	  AMD,
	  .ops = &npt_amd,
	  .report_name = "npt",
	  .tables_at = HIGH,
	  .config = { GEOMETRY(5, 57, 52, 2), .hardware_ad = true, .page_memtypes = true } },
	/* The CPU sets the accessed and dirty bits nevertheless. */
	{ .name = "amd4-software",
	  AMD,
	  .ops = &npt_amd,
	  .report_name = "npt",
	  .tables_at = HIGH,
	  .config = { GEOMETRY(4, 48, 40, 2), .exec_only = true, .page_memtypes = true } }, /* which it cannot */
	{ .name = "host4",
	  AMD,
	  .ops = &npt_x86_host,
	  .report_name = "x86_host",
	  .supervisor = true,
	  .tables_at = LOW,
	  .config = { GEOMETRY(4, 48, 46, 2), .page_memtypes = true } },
	{ .name = "stage2-31", STAGE2, .tables_at = LOW, .config = { GEOMETRY(3, 31, 32, 2), .page_memtypes = true } },
	{ .name = "stage2-39", STAGE2, .tables_at = LOW, .config = { GEOMETRY(3, 39, 40, 2), .page_memtypes = true } },
	{ .name = "stage2-40",
	  STAGE2,
	  .root_order = 1,
	  .tables_at = HIGH,
	  .config = { GEOMETRY(3, 40, 44, 2), .hardware_ad = true, .page_memtypes = true } },
	{ .name = "stage2-43",
	  STAGE2,
	  .root_order = 4,
	  .tables_at = LOW,
	  .config = { GEOMETRY(3, 43, 48, 1), .page_memtypes = true } },
	{ .name = "stage2-48",
	  STAGE2,
	  .tables_at = HIGH,
	  .config = { GEOMETRY(4, 48, 48, 2), .hardware_ad = true, .page_memtypes = true } },
	{ .name = "stage2-fwb",
	  STAGE2_FWB,
	  .root_order = 1,
	  .tables_at = LOW,
	  .config = { GEOMETRY(3, 40, 40, 2), .exec_only = true, .page_memtypes = true } },
	{ .name = "el2", EL2, .tables_at = LOW, .config = { GEOMETRY(4, 48, 48, 2), .exec_only = true, .page_memtypes = true } },
	{ .name = "el20", EL20, .tables_at = HIGH, .config = { GEOMETRY(4, 48, 48, 2), .page_memtypes = true } },
	{ .name = "sv39x4",
	  X4,
	  .report_name = "sv39x4",
	  .types = TYPE(WB),
	  .tables_at = LOW,
	  .config = { GEOMETRY(3, 41, 56, 2) } },
	{ .name = "sv48x4",
	  X4,
	  .report_name = "sv48x4",
	  .types = RISCV_TYPES,
	  .exec_only = true,
	  .tables_at = HIGH,
	  .config = { GEOMETRY(4, 50, 56, 2), .hardware_ad = true, .exec_only = true, .page_memtypes = true } },
	{ .name = "sv57x4",
	  X4,
	  .report_name = "sv57x4",
	  .types = RISCV_TYPES,
	  .tables_at = HIGH,
	  .config = { GEOMETRY(5, 59, 50, 2), .hardware_ad = true, .page_memtypes = true } },
	{ .name = "host-sv39",
	  RV_HOST,
	  .report_name = "sv39",
	  .types = TYPE(WB),
	  .tables_at = LOW,
	  .config = { GEOMETRY(3, 38, 56, 2) } },
	{ .name = "host-sv57",
	  RV_HOST,
	  .report_name = "sv57",
	  .types = RISCV_TYPES,
	  .tables_at = HIGH,
	  .config = { GEOMETRY(5, 56, 56, 2), .page_memtypes = true } },
};

const size_t format_count = ARRAY_LEN(formats);

bool format_untracked(const struct format_case *format, uint64_t pte, uint64_t *shown)
{
	uint64_t valid = format->valid, kept = format->tracked_shift ? pte >> format->tracked_shift & valid : valid;

	*shown = (pte & ~BIT(format->tracked_bit) & ~(format->tracked_shift ? valid << format->tracked_shift : 0)) | kept;
	return !(pte & valid) && (pte >> format->tracked_bit & 1);
}

struct oracle_machine format_machine(const struct format_case *format)
{
	return (struct oracle_machine){
		.levels = format->config.levels,
		.gpa_bits = format->config.gpa_bits,
		.hpa_bits = format->config.hpa_bits,
		.max_leaf = format->config.max_leaf,
		.hardware_ad = format->config.hardware_ad,
		.exec_only = format->config.exec_only,
		.svpbmt = format->config.page_memtypes,
		.supervisor = format->supervisor,
		.fwb = format->fwb,
		.pat = format->oracle == &oracle_el2 || format->oracle == &oracle_el20 ? HOST_MAIR : HOST_PAT,
	};
}

int format_suite(const char *name, const struct format_test *tests, size_t count)
{
	static struct suite suite;

	suite.count = 0;
	for (size_t t = 0; t < count; t++)
		for (size_t f = 0; f < format_count; f++)
			suite_add(&suite, tests[t].name, formats[f].name, tests[t].test, fixture_setup, fixture_teardown,
				  &formats[f]);
	return suite_run(&suite, name);
}
