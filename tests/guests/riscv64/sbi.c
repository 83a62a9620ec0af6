/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls every SBI function that is offered, with good and with hostile arguments, and some that are not. */
#include "tests/guests/check.h"
#include "tests/guests/riscv64/trap.h"

#define BASE     0x10
#define TIME     0x54494d45
#define IPI      0x735049
#define RFENCE   0x52464e43
#define HSM      0x48534d
#define SRST     0x53525354
#define DBCN     0x4442434e
#define PMU      0x504d55
#define NESTLING 0x084e5354

#define NOT_SUPPORTED     (-2)
#define INVALID_ADDRESS   (-5)
#define INVALID_PARAM     (-3)
#define ALREADY_AVAILABLE (-6)

static int64_t error_of(uint64_t extension, uint64_t function, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	return sbi(extension, function, arg0, arg1, arg2).error;
}

static bool is_offered(uint64_t extension)
{
	struct sbi_result result = sbi(BASE, 3, extension, 0, 0);

	CHECK(result.error == 0);
	return result.value != 0;
}

static void base(void)
{
	CHECK(sbi(BASE, 0, 0, 0, 0).value == 0x02000000);
	CHECK(sbi(BASE, 1, 0, 0, 0).value == 0x4e455354);
	for (uint64_t function = 2; function <= 6; function++)
		CHECK(error_of(BASE, function, 0, 0, 0) == 0);
	CHECK(error_of(BASE, 7, 0, 0, 0) == NOT_SUPPORTED);
	CHECK(is_offered(BASE) && is_offered(TIME) && is_offered(IPI) && is_offered(RFENCE) && is_offered(HSM));
	CHECK(is_offered(SRST) && is_offered(DBCN) && is_offered(NESTLING) && is_offered(1));
	CHECK(!is_offered(PMU) && !is_offered(0x09000000) && !is_offered(UINT64_MAX) && !is_offered(9));
	CHECK(error_of(PMU, 0, 0, 0, 0) == NOT_SUPPORTED);
	CHECK(error_of(UINT64_MAX, UINT64_MAX, 0, 0, 0) == NOT_SUPPORTED);
}

static void console(void)
{
	static const char text[] = "sbi: by the debug console\n";
	uint64_t at = (uintptr_t)text, size = sizeof(text) - 1;
	struct sbi_result result = sbi(DBCN, 0, size, at, 0);

	CHECK(result.error == 0 && result.value == size);
	result = sbi(DBCN, 0, 0, at, 0);
	CHECK(result.error == 0 && result.value == 0);
	CHECK(error_of(DBCN, 0, size, at, 1) == INVALID_PARAM);
	CHECK(error_of(DBCN, 0, size, 0, 0) == INVALID_PARAM);
	CHECK(error_of(DBCN, 0, size, 0x10000000, 0) == INVALID_PARAM);
	CHECK(error_of(DBCN, 0, UINT64_MAX, UINT64_MAX, 0) == INVALID_PARAM);
	CHECK(error_of(DBCN, 0, 16, ram_end(), 0) == INVALID_PARAM);
	result = sbi(DBCN, 1, size, at, 0);
	CHECK(result.error == 0 && result.value == 0);
	for (const char *c = "sbi: byte by byte\n"; *c; c++)
		CHECK(error_of(DBCN, 2, (uint64_t)*c, 0, 0) == 0);
	CHECK(error_of(DBCN, 3, 0, 0, 0) == NOT_SUPPORTED);
	for (const char *c = "sbi: the old way\n"; *c; c++)
		CHECK(error_of(1, 0, (uint64_t)*c, 0, 0) == 0);
	CHECK(error_of(2, 0, 0, 0, 0) == -1);
}

static void harts(void)
{
	CHECK(error_of(HSM, 0, 0, 0x80200000, 0) == ALREADY_AVAILABLE);
	CHECK(error_of(HSM, 0, 1, 0x80200000, 0) == INVALID_PARAM);
	CHECK(error_of(HSM, 2, 0, 0, 0) == 0 && sbi(HSM, 2, 0, 0, 0).value == 0);
	CHECK(error_of(HSM, 2, 1, 0, 0) == INVALID_PARAM);
	CHECK(error_of(HSM, 3, 1ul << 31, 0, 0) == INVALID_ADDRESS);
	CHECK(error_of(HSM, 3, 1ul << 28, 0, 0) == NOT_SUPPORTED); /* a platform's own */
	CHECK(error_of(HSM, 3, 1ul << 32, 0, 0) == INVALID_PARAM);
	CHECK(error_of(HSM, 4, 0, 0, 0) == NOT_SUPPORTED);
	for (uint64_t function = 0; function <= 2; function++) {
		CHECK(error_of(RFENCE, function, 1, 0, 0) == 0);
		CHECK(error_of(RFENCE, function, 0, UINT64_MAX, 0) == 0);
		CHECK(error_of(RFENCE, function, 2, 0, 0) == INVALID_PARAM);
		CHECK(error_of(RFENCE, function, 1, 1, 0) == INVALID_PARAM);
	}
	CHECK(error_of(RFENCE, 3, 1, 0, 0) == NOT_SUPPORTED);
	for (uint64_t legacy = 3; legacy <= 7; legacy++)
		CHECK(error_of(legacy, 0, 0, 0, 0) == 0);
	CHECK(error_of(SRST, 0, 3, 0, 0) == INVALID_PARAM);
	CHECK(error_of(SRST, 0, 0, 2, 0) == INVALID_PARAM);
	CHECK(error_of(SRST, 1, 0, 0, 0) == NOT_SUPPORTED);
}

/* An interrupt to ourselves: pending, taken once it is enabled, gone when cleared. */
static void interrupts(void)
{
	CSR_CLEAR("sip", SIE_SSIE);
	CHECK(error_of(IPI, 0, 2, 0, 0) == INVALID_PARAM);
	CHECK(!(CSR_READ("sip") & SIE_SSIE));
	CHECK(error_of(IPI, 0, 1, 0, 0) == 0);
	CHECK(CSR_READ("sip") & SIE_SSIE);
	trap.cause = NO_TRAP;
	CSR_SET("sie", SIE_SSIE);
	CSR_SET("sstatus", SSTATUS_SIE);
	CHECK(trap.cause == (CAUSE_INTERRUPT | 1));
	CSR_CLEAR("sip", SIE_SSIE);
	CHECK(!(CSR_READ("sip") & SIE_SSIE));
	CSR_CLEAR("sstatus", SSTATUS_SIE);
}

int guest_main(void)
{
	trap_init();
	base();
	console();
	harts();
	interrupts();
	CHECK(rt_hypercall(99, 0, 0, 0, 0) == RT_NOT_SUPPORTED);
	CHECK(rt_memory_info(99) == RT_INVALID);
	if (check_status("sbi") == 0)
		sbi(SRST, 0, 0, 0, 0);
	return 1;
}
