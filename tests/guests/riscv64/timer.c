/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer: by SBI and, where there is one, by the hart's own compare register; and waiting for it. */
#include "tests/guests/riscv64/trap.h"

#define TIME     0x54494d45
#define STIMECMP "0x14d"
#define TICKS    20000

static uint64_t now(void)
{
	return CSR_READ("time");
}

static void expect_interrupt(const char *how, uint64_t deadline)
{
	trap.cause = NO_TRAP;
	CSR_SET("sie", SIE_STIE);
	CSR_SET("sstatus", SSTATUS_SIE);
	while (trap.cause == NO_TRAP)
		;
	CHECK(trap.cause == (CAUSE_INTERRUPT | 5));
	CHECK(now() >= deadline);
	CSR_CLEAR("sstatus", SSTATUS_SIE);
	rt_printf("timer: came by %s\n", how);
}

/* With interrupts off globally, WFI ends all the same. */
static void expect_wake(const char *how, uint64_t deadline)
{
	CSR_SET("sie", SIE_STIE);
	__asm__ volatile("wfi" : : : "memory");
	CHECK(now() >= deadline);
	CSR_CLEAR("sie", SIE_STIE);
	rt_printf("timer: woken by %s\n", how);
}

static uint64_t set_by_sbi(void)
{
	uint64_t deadline = now() + TICKS;

	CHECK(sbi(TIME, 0, deadline, 0, 0).error == 0);
	return deadline;
}

static uint64_t set_stimecmp(uint64_t when)
{
	return TRAP_OF("csrw " STIMECMP ", %[when]", [when] "+r"(when) :);
}

int guest_main(void)
{
	uint64_t start = now();

	trap_init();
	CHECK(start < 1ul << 32); /* time has begun with us */
	CHECK(now() >= start);
	expect_interrupt("SBI", set_by_sbi());
	expect_wake("SBI", set_by_sbi());
	CHECK(sbi(TIME, 0, 0, 0, 0).error == 0); /* long ago */
	expect_wake("SBI, at once", 0);
	CHECK(sbi(TIME, 0, UINT64_MAX, 0, 0).error == 0);
	if (set_stimecmp(UINT64_MAX) == NO_TRAP) {
		set_stimecmp(now() + TICKS);
		expect_interrupt("stimecmp", 0);
		set_stimecmp(now() + TICKS);
		expect_wake("stimecmp", 0);
	} else {
		rt_printf("timer: no stimecmp\n");
	}
	return check_status("timer");
}
