/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a CPU's state that a guest can tell apart by a number. For tests/guests/fork_state.c. */
#include "el1.h"
#include "tests/guests/check.h"

#define FOR_V(each)                                                                                                         \
	each(0) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12) each(13) \
		each(14) each(15) each(16) each(17) each(18) each(19) each(20) each(21) each(22) each(23) each(24) each(25) \
			each(26) each(27) each(28) each(29) each(30) each(31)

/* All 64 bits of these are free to hold anything, whatever the CPU, and nothing here uses them. */
#define FOR_REGISTERS(each)                                                                                                      \
	each("tpidr_el1") each("tpidr_el0") each("tpidrro_el0") each("far_el1") each("elr_el1") each("sp_el0") each("ttbr0_el1") \
		each("cntv_cval_el0") each("cntp_cval_el0")
/* The low bits of these. */
#define FOR_SHORT_REGISTERS(each) each("contextidr_el1") each("mair_el1") each("esr_el1")

#define FP ".arch_extension fp\n\t.arch_extension simd\n\t"

static void state_init(void)
{
	MSR("cpacr_el1", MRS("cpacr_el1") | 3ul << 20);
	isb();
}

static bool has_keys(void)
{
	return MRS("id_aa64isar1_el1") & 0xff0;
}

static void state_put(uint64_t seed)
{
#define PUT_V(n)                 __asm__ volatile(FP "dup v" #n ".2d, %0\n\tins v" #n ".d[1], %1" : : "r"(seed * 0x1000193 + n), "r"(~seed - n));
#define PUT_REGISTER(name)       MSR(name, seed * 0x10001);
#define PUT_SHORT_REGISTER(name) MSR(name, seed);
	FOR_V(PUT_V)
	FOR_REGISTERS(PUT_REGISTER)
	FOR_SHORT_REGISTERS(PUT_SHORT_REGISTER)
	MSR("fpsr", seed);
	MSR("fpcr", seed << 22);
	MSR("cntv_ctl_el0", 2 | (seed & 1)); /* masked */
	if (has_keys()) {
		MSR("S3_0_C2_C1_0", seed * 3);
		MSR("S3_0_C2_C3_1", seed * 5);
	}
}

static void state_check(uint64_t seed)
{
	uint64_t low, high;

#define CHECK_V(n)                                                                                     \
	__asm__ volatile(FP "umov %0, v" #n ".d[0]\n\tumov %1, v" #n ".d[1]" : "=r"(low), "=r"(high)); \
	CHECK(low == seed * 0x1000193 + n && high == ~seed - n);
#define CHECK_REGISTER(name)       CHECK(MRS(name) == seed * 0x10001);
#define CHECK_SHORT_REGISTER(name) CHECK(MRS(name) == seed);
	FOR_V(CHECK_V)
	FOR_REGISTERS(CHECK_REGISTER)
	FOR_SHORT_REGISTERS(CHECK_SHORT_REGISTER)
	CHECK(MRS("fpsr") == seed);
	CHECK(MRS("fpcr") == seed << 22);
	CHECK((MRS("cntv_ctl_el0") & 3) == (2 | (seed & 1)));
	CHECK(!has_keys() || (MRS("S3_0_C2_C1_0") == seed * 3 && MRS("S3_0_C2_C3_1") == seed * 5));
}
