/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes system registers: those a guest has, those that do nothing, and those that are not there. */
#include "tests/guests/aarch64/vectors.h"

static unsigned field(uint64_t id, unsigned shift)
{
	return (unsigned)(id >> shift) & 0xf;
}

/* What the identification registers must not offer. */
static void identification(void)
{
	uint64_t pfr0 = MRS("id_aa64pfr0_el1"), mmfr0 = MRS("id_aa64mmfr0_el1"), dfr0 = MRS("id_aa64dfr0_el1");

	CHECK((pfr0 & 0xffff) == 0x0011);                            /* EL0, EL1; AArch64 only */
	CHECK(field(pfr0, 24) <= 1);                                 /* GIC: where it has list registers */
	CHECK(field(pfr0, 28) == 0 && field(pfr0, 32) == 0);         /* RAS, SVE */
	CHECK((MRS("S3_0_C0_C4_1") & ~0xfful) == 0);                 /* MTE, SME and all that */
	CHECK(MRS("S3_0_C0_C4_4") == 0 && MRS("S3_0_C0_C4_5") == 0); /* SVE, SME */
	CHECK(field(dfr0, 4) == 0 && field(dfr0, 8) == 0 && field(dfr0, 32) == 0);
	CHECK(field(mmfr0, 0) <= 5 && field(mmfr0, 28) != 0xf);
	CHECK(field(MRS("id_aa64mmfr1_el1"), 8) == 0); /* VH */
	CHECK(MRS("S3_0_C0_C7_7") == 0 && MRS("S3_0_C0_C3_7") == 0);
	CHECK(MRS("id_pfr0_el1") == 0 && MRS("id_mmfr0_el1") == 0);
	CHECK((MRS("mpidr_el1") & 0xff40ffffff) == 0);
	CHECK(MRS("midr_el1") != 0);
	CHECK((MRS("CurrentEL") & 0xc) == 4);
	/* RAM ends within what PARange says. */
	CHECK(ram_end() <= 1ul << ((const uint8_t[]){ 32, 36, 40, 42, 44, 48 })[field(mmfr0, 0) % 6]);
}

/* Into every general register, and into no other one; flags and the program counter are as after any instruction. */
#define READ_INTO(n)                                                                                                      \
	({                                                                                                                \
		uint64_t value_, others_;                                                                                 \
		__asm__ volatile("mov x0, #1\n\tmov x1, #2\n\tmov x2, #4\n\tmov x3, #8\n\tmov x4, #16\n\tmov x5, #32\n\t" \
				 "cmp x0, x0\n\tmrs x" #n ", S3_0_C0_C6_0\n\tmov x16, x" #n "\n\tcset x17, eq\n\t"        \
				 "mov x" #n ", xzr\n\tadd x0, x0, x1\n\tadd x2, x2, x3\n\tadd x4, x4, x5\n\t"             \
				 "add x0, x0, x2\n\tadd x0, x0, x4\n\tadd %1, x0, x17, lsl #6\n\tmov %0, x16"             \
				 : "=&r"(value_), "=&r"(others_)                                                          \
				 :                                                                                        \
				 : "x0", "x1", "x2", "x3", "x4", "x5", "x16", "x17", "x" #n, "cc");                       \
		CHECK(value_ == isar0 && others_ == (0x7f & ~(n < 6 ? 1u << n : 0)));                                     \
	})

static void into_every_register(void)
{
	uint64_t isar0 = MRS("S3_0_C0_C6_0");

	READ_INTO(0);
	READ_INTO(1);
	READ_INTO(2);
	READ_INTO(3);
	READ_INTO(4);
	READ_INTO(5);
	READ_INTO(6);
	READ_INTO(7);
	READ_INTO(8);
	READ_INTO(9);
	READ_INTO(10);
	READ_INTO(11);
	READ_INTO(12);
	READ_INTO(13);
	READ_INTO(14);
	READ_INTO(15);
	READ_INTO(18);
	READ_INTO(19);
	READ_INTO(20);
	READ_INTO(21);
	READ_INTO(22);
	READ_INTO(23);
	READ_INTO(24);
	READ_INTO(25);
	READ_INTO(26);
	READ_INTO(27);
	READ_INTO(28);
	READ_INTO(29);
	READ_INTO(30);
}

/* At the entry: everything off, and nothing left of anybody before. */
static void at_reset(void)
{
	CHECK((MRS("sctlr_el1") & (SCTLR_M | SCTLR_C | SCTLR_I)) == 0);
	CHECK(MRS("ttbr0_el1") == 0 && MRS("tcr_el1") == 0 && MRS("mair_el1") == 0);
	CHECK(MRS("tpidr_el0") == 0 && MRS("tpidr_el1") == 0 && MRS("sp_el0") == 0);
	CHECK(MRS("cpacr_el1") == 3ul << 20); /* 0, and what guest/rt adds to it */
	CHECK((MRS("daif") & 0x3c0) == 0x3c0);
	CHECK((MRS("cntv_ctl_el0") & 1) == 0 && (MRS("cntp_ctl_el0") & 1) == 0);
	MSR("cpacr_el1", 3ul << 20 | 3ul << 16 | 3ul << 24); /* FP, SVE and SME do not trap to EL1 */
	isb();
	for (unsigned i = 0; i < 2; i++) {
		uint64_t low, high;

		__asm__ volatile(".arch_extension simd\n\tfmov %0, d7\n\tfmov %1, v31.d[1]" : "=r"(low), "=r"(high));
		CHECK(low == 0 && high == 0);
	}
}

/* Registers that trap and do nothing. */
static void inert(void)
{
	CHECK(MRS("mdscr_el1") == 0);
	MSR("mdscr_el1", ~0ul);
	CHECK(MRS("mdscr_el1") == 0);
	MSR("dbgbvr0_el1", 0x40200000);
	MSR("dbgbcr0_el1", 0x1e7);
	CHECK(MRS("dbgbcr0_el1") == 0);
	MSR("oslar_el1", 0);
	CHECK(MRS("oslsr_el1") == 8);
	MSR("actlr_el1", ~0ul);
	CHECK(MRS("actlr_el1") == 0);
	__asm__ volatile("mrs xzr, id_aa64pfr0_el1\n\tmrs xzr, mdscr_el1");
}

/* The timers count; their interrupts go nowhere. */
static void timers(void)
{
	uint64_t start = MRS("cntvct_el0");

	CHECK(start < 1000 * MRS("cntfrq_el0"));
	MSR("cntv_cval_el0", start);
	MSR("cntv_ctl_el0", 1);
	isb();
	while (!(MRS("cntv_ctl_el0") & 4))
		;
	__asm__ volatile("msr daifclr, #0xf\n\tisb\n\tmsr daifset, #0xf");
	MSR("cntv_ctl_el0", 0);
	CHECK(MRS("cntpct_el0") >= start);
}

static void absent(void)
{
	CHECK(UNDEFINED("mrs x0, pmcr_el0"));
	CHECK(UNDEFINED("msr pmcr_el0, x0"));
	CHECK(UNDEFINED("mrs x0, pmccntr_el0"));
	if (field(MRS("id_aa64pfr0_el1"), 24) == 0) {
		CHECK(UNDEFINED("msr S3_0_C4_C6_0, x0"));   /* ICC_PMR_EL1 */
		CHECK(UNDEFINED("mrs x0, S3_0_C12_C12_0")); /* ICC_IAR1_EL1 */
		CHECK(UNDEFINED("msr S3_0_C12_C11_5, x0")); /* ICC_SGI1R_EL1 */
	}
	CHECK(UNDEFINED("mrs x0, S3_0_C10_C4_0")); /* LORSA_EL1 */
	CHECK(UNDEFINED("mrs x0, S3_0_C1_C2_0"));  /* ZCR_EL1 */
	CHECK(UNDEFINED("mrs x0, S3_0_C5_C3_0"));  /* ERRIDR_EL1 */
	CHECK(UNDEFINED("mrs x0, S3_0_C15_C0_0")); /* implementation defined */
	CHECK(UNDEFINED("msr S3_0_C11_C0_0, x0"));
	CHECK(UNDEFINED("mrs x0, S2_1_C0_C1_0")); /* trace */
	CHECK(UNDEFINED("mrs x0, hcr_el2"));
	CHECK(UNDEFINED("msr vttbr_el2, x0"));
	CHECK(UNDEFINED("mrs x0, S3_6_C1_C1_0")); /* SCR_EL3 */
	CHECK(UNDEFINED("mrs x0, S3_5_C1_C0_0")); /* SCTLR_EL12 */
	CHECK(UNDEFINED("tlbi alle2"));
	CHECK(UNDEFINED("tlbi vmalls12e1is"));
	CHECK(UNDEFINED("at s12e1r, x0"));
	CHECK(UNDEFINED(".inst 0x04bf5020")); /* SVE: rdvl x0, #1 */
	CHECK(UNDEFINED(".inst 0x00000000"));
	CHECK(UNDEFINED("dcps2"));
}

int guest_main(void)
{
	at_reset();
	trap_init();
	identification();
	into_every_register();
	inert();
	absent();
	timers();
	__asm__ volatile("sevl\n\twfe\n\twfe\n\tdc cisw, xzr\n\tdc csw, xzr\n\tdsb sy");
	for (unsigned i = 0; i < 10000; i++)
		UNDEFINED("mrs x0, pmcr_el0");
	return check_status("sysregs");
}
