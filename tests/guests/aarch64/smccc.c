/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes calls by the SMC Calling Convention (DEN0028) and PSCI (DEN0022), sensible ones and others, and ends by SYSTEM_OFF. */
#include "tests/guests/aarch64/vectors.h"

#define NOT_SUPPORTED      ((uint64_t)-1)
#define INVALID_PARAMETERS ((uint64_t)-2)
#define ALREADY_ON         ((uint64_t)-4)

static uint64_t result[4];

#define CALL_BY(insn, a0, a1, a2, a3)                                                                           \
	({                                                                                                      \
		register uint64_t x0_ __asm__("x0") = (a0), x1_ __asm__("x1") = (a1), x2_ __asm__("x2") = (a2), \
				      x3_ __asm__("x3") = (a3);                                                 \
		__asm__ volatile(insn : "+r"(x0_), "+r"(x1_), "+r"(x2_), "+r"(x3_) : : "memory");               \
		result[0] = x0_, result[1] = x1_, result[2] = x2_, result[3] = x3_;                             \
		x0_;                                                                                            \
	})
#define HVC(...) CALL_BY("hvc #0", __VA_ARGS__)

static void smccc(void)
{
	CHECK(HVC(0x80000000, 0, 0, 0) == 0x10001); /* SMCCC_VERSION */
	CHECK(HVC(0x80000001, 0x80000000, 0, 0) == 0);
	CHECK(HVC(0x80000001, 0x80000001, 0, 0) == 0);
	CHECK(HVC(0x80000001, 0x80008000, 0, 0) == NOT_SUPPORTED); /* a workaround that is not there */
	HVC(0x8600ff01, 1, 2, 3);                                  /* who is it? */
	CHECK(result[0] == 0x7473654e && result[1] == 0x674e696c && result[2] == 0x80 && result[3] == 0x06000000);
	CHECK(HVC(0x8600ff03, 0, 0, 0) == 3 && result[1] == 0);
	CHECK(HVC(0xc6000000, ~0ul, ~0ul, ~0ul) == 3); /* the version of our own calls, by either width */
	CHECK(HVC(0x86000000, 0, 0, 0) == 3);
	CHECK(HVC(0xffffffffc6000000, 0, 0, 0) == 3); /* W0 is the function */
	CHECK(HVC(0xc6000003, 0, 0, 0) == HVC(0x86000003, 0xabcd00000000, 0, 0));
	CHECK(HVC(0xc6000003, 0xabcd00000000, 0, 0) == RT_INVALID);
}

static void unknown(void)
{
	static const uint32_t functions[] = {
		0,          1,          0x46000000, 0x06000000, 0x7fffffff, 0x81000000, 0x82000000,
		0x83000000, 0x85000000, 0x86010000, 0x8600ff00, 0x8600ffff, 0xc600ff01, 0xc600000e,
		0xc600feff, 0xc601ffff, 0xb2000000, 0xffffffff, 0x84000005, 0x84000007, 0x84000012,
		0x8400ffff, 0x84010000, 0xc4000000, 0xc4000008, 0x88000000, 0x80000002, 0xc0000000,
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (HVC(functions[i], 42, 43, 44) != NOT_SUPPORTED || result[1] != 42 || result[3] != 44) {
			rt_printf("FAILED: 0x%x: 0x%lx\n", functions[i], result[0]);
			check_failures++;
		}
	CHECK(CALL_BY("hvc #1", 0xc6000000, 0, 0, 0) == NOT_SUPPORTED);
	CHECK(CALL_BY("hvc #0xffff", 0x84000008, 0, 0, 0) == NOT_SUPPORTED);
	/* There is nobody below. */
	CHECK(CALL_BY("smc #0", 0x84000008, 42, 0, 0) == NOT_SUPPORTED && result[1] == 42);
	CHECK(CALL_BY("smc #7", 0x80000000, 0, 0, 0) == NOT_SUPPORTED);
}

static void psci(void)
{
	static const uint32_t has[] = {
		0x84000000, 0x84000001, 0xc4000001, 0x84000002, 0x84000003, 0xc4000003, 0x84000004,
		0xc4000004, 0x84000006, 0x84000008, 0x84000009, 0x8400000a, 0x80000000,
	};

	CHECK(HVC(0x84000000, 0, 0, 0) == 0x10001);
	for (size_t i = 0; i < sizeof(has) / sizeof(*has); i++)
		CHECK(HVC(0x8400000a, has[i], 0, 0) == 0);
	CHECK(HVC(0x8400000a, 0x84000005, 0, 0) == NOT_SUPPORTED);
	CHECK(HVC(0x8400000a, 0xc4000008, 0, 0) == NOT_SUPPORTED);
	CHECK(HVC(0xc4000003, MRS("mpidr_el1") & 0xff00ffffff, 0x40200000, 0) == ALREADY_ON);
	CHECK(HVC(0xc4000003, 1, 0x40200000, 0) == INVALID_PARAMETERS);
	CHECK(HVC(0xc4000003, ~0ul, 0, 0) == INVALID_PARAMETERS);
	CHECK(HVC(0xc4000004, 0, 0, 0) == 0);
	CHECK(HVC(0xc4000004, 0, 4, 0) == INVALID_PARAMETERS);
	CHECK(HVC(0xc4000004, 1, 0, 0) == INVALID_PARAMETERS);
	CHECK(HVC(0x84000006, 0, 0, 0) == 2);
}

int guest_main(void)
{
	trap_init();
	smccc();
	unknown();
	psci();
	if (check_status("smccc"))
		return 1;
	HVC(0x84000008, 0, 0, 0); /* SYSTEM_OFF */
	rt_printf("smccc: FAILED: still here\n");
	return 1;
}
