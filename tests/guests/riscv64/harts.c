/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several harts by the SBI's own calls: started, stopped and started again, interrupted, woken from WFI by another hart and by
 * their timers, and fenced from afar while they run; each with FP registers of its own, and nothing of another's. To be run with 4
 * vCPUs, on any number of CPUs.
 */
#include "tests/guests/check.h"
#include "tests/guests/riscv64/csr.h"

#define TIME   0x54494d45
#define IPI    0x735049
#define RFENCE 0x52464e43
#define HSM    0x48534d
#define YIELD  12 /* the hypercall's number */

#define INVALID_PARAM     (-3)
#define INVALID_ADDRESS   (-5)
#define ALREADY_AVAILABLE (-6)

enum { HARTS = 4, STARTED = 0, STOPPED = 1, ROUNDS = 60 };
#define OTHERS ((1ul << HARTS) - 2)

static char stacks[HARTS][8192] __attribute__((aligned(16)));

/* What each hart does, and how far it has come. A hart writes its own words only. */
static volatile uint64_t begun[HARTS], count[HARTS], failed[HARTS], ids[HARTS], garbage[HARTS];
static void (*volatile job)(uint64_t hart);

static void relax(void)
{
	__asm__ volatile("fence" : : : "memory");
}

static void __attribute__((used)) hart_main(uint64_t id, uint64_t stack, uint64_t seen)
{
	uint64_t hart = (stack - (uintptr_t)stacks) / sizeof(stacks[0]) - 1;

	ids[hart] = id;
	garbage[hart] = seen;
	relax();
	begun[hart]++;
	job(hart);
	relax();
	sbi(HSM, 1, 0, 0, 0);
	failed[hart]++; /* it has not stopped */
}

/* All registers but a0 and a1 are 0, and of scounteren what user mode may read is on: what differs is collected in a2. */
static void __attribute__((naked, used)) hart_entry(void)
{
	__asm__ volatile("mv a2, ra\n\t"
			 ".irp reg, sp, gp, tp, t0, t1, t2, s0, s1, a3, a4, a5, a6, a7, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, "
			 "t3, t4, t5, t6\n\t"
			 "or a2, a2, \\reg\n\t"
			 ".endr\n\t"
			 ".irp csr, satp, stvec, sscratch, sepc, scause, stval, sie, sip\n\t"
			 "csrr a3, \\csr\n\t"
			 "or a2, a2, a3\n\t"
			 ".endr\n\t"
			 "csrr a3, scounteren\n\t"
			 "xori a3, a3, 7\n\t"
			 "or a2, a2, a3\n\t"
			 "mv sp, a1\n\t"
			 "j hart_main");
}

static int64_t start(uint64_t hart)
{
	return sbi(HSM, 0, hart, (uintptr_t)hart_entry, (uintptr_t)stacks[hart] + sizeof(stacks[0])).error;
}

static uint64_t status_of(uint64_t hart)
{
	return sbi(HSM, 2, hart, 0, 0).value;
}

/* Start all others on `work`; that they have begun. */
static void start_others(void (*work)(uint64_t hart))
{
	uint64_t before[HARTS];

	job = work;
	for (uint64_t hart = 1; hart < HARTS; hart++) {
		before[hart] = begun[hart];
		count[hart] = 0;
		relax();
		CHECK(start(hart) == 0);
	}
	for (uint64_t hart = 1; hart < HARTS; hart++)
		while (begun[hart] == before[hart])
			rt_hypercall(YIELD, 0, 0, 0, 0);
}

static void wait_for_stop(void)
{
	for (uint64_t hart = 1; hart < HARTS; hart++) {
		while (status_of(hart) != STOPPED)
			rt_hypercall(YIELD, 0, 0, 0, 0);
		CHECK(failed[hart] == 0);
	}
}

/* --- Starting -------------------------------------------------------------------------------------------------------- */

static void nothing(uint64_t hart)
{
	count[hart]++;
}

static void starting(void)
{
	CHECK(status_of(0) == STARTED);
	for (uint64_t hart = 1; hart < HARTS; hart++)
		CHECK(status_of(hart) == STOPPED);
	CHECK(start(0) == ALREADY_AVAILABLE);
	CHECK(sbi(HSM, 0, HARTS, (uintptr_t)hart_entry, 0).error == INVALID_PARAM);
	CHECK(sbi(HSM, 0, UINT64_MAX, (uintptr_t)hart_entry, 0).error == INVALID_PARAM);
	CHECK(sbi(HSM, 0, 1, 0, 0).error == INVALID_ADDRESS);
	CHECK(sbi(HSM, 0, 1, ram_end(), 0).error == INVALID_ADDRESS);
	CHECK(sbi(HSM, 2, HARTS, 0, 0).error == INVALID_PARAM);
	for (unsigned round = 0; round < 3; round++) {
		start_others(nothing);
		wait_for_stop();
		for (uint64_t hart = 1; hart < HARTS; hart++) {
			CHECK(count[hart] == 1);
			CHECK(ids[hart] == hart);
			CHECK(garbage[hart] == 0);
		}
	}
}

/* --- Interrupts between harts ------------------------------------------------------------------------------------------- */

/* With interrupts off globally, WFI ends when one is pending. Hart 1 stays awake: nothing but the interrupt itself makes it look.
 */
static void await_ipi(uint64_t hart)
{
	while (!(CSR_READ("sip") & SIE_SSIE)) {
		if (hart != 1)
			__asm__ volatile("wfi" : : : "memory");
		else
			rt_hypercall(YIELD, 0, 0, 0, 0);
	}
}

static void await_ipis(uint64_t hart)
{
	CSR_SET("sie", SIE_SSIE);
	while (count[hart] < ROUNDS) {
		await_ipi(hart);
		CSR_CLEAR("sip", SIE_SSIE);
		relax();
		count[hart]++;
	}
}

static void send_round(uint64_t round)
{
	static uint64_t mask;
	int64_t error;

	mask = OTHERS;
	if (round % 3 == 0)
		error = sbi(IPI, 0, OTHERS, 0, 0).error;
	else if (round % 3 == 1)
		error = sbi(IPI, 0, OTHERS >> 1, 1, 0).error;
	else
		error = sbi(4, 0, (uintptr_t)&mask, 0, 0).error; /* the legacy call */
	CHECK(error == 0);
	for (uint64_t hart = 1; hart < HARTS; hart++)
		while (count[hart] != round + 1)
			if (round % 2)
				rt_hypercall(YIELD, 0, 0, 0, 0);
}

static void interrupts(void)
{
	CHECK(sbi(IPI, 0, 1 << HARTS, 0, 0).error == INVALID_PARAM);
	CHECK(sbi(IPI, 0, 1, HARTS, 0).error == INVALID_PARAM);
	CHECK(sbi(IPI, 0, 2, HARTS - 1, 0).error == INVALID_PARAM);
	CHECK(sbi(IPI, 0, 1, 64, 0).error == INVALID_PARAM);
	start_others(await_ipis);
	for (uint64_t round = 0; round < ROUNDS; round++)
		send_round(round);
	wait_for_stop();
	CHECK(!(CSR_READ("sip") & SIE_SSIE)); /* none of them was for this hart */
}

/* --- Timers -------------------------------------------------------------------------------------------------------------- */

static void sleep_often(uint64_t hart)
{
	CSR_SET("sie", SIE_STIE);
	while (count[hart] < 20) {
		uint64_t when = CSR_READ("time") + 5000 * (hart + 1);

		sbi(TIME, 0, when, 0, 0);
		__asm__ volatile("wfi" : : : "memory");
		while (CSR_READ("time") < when) /* WFI may end for nothing */
			;
		count[hart]++;
	}
	sbi(TIME, 0, UINT64_MAX, 0, 0);
	CSR_CLEAR("sie", SIE_STIE);
}

static void timers(void)
{
	start_others(sleep_often);
	count[0] = 0;
	sleep_often(0);
	wait_for_stop();
	for (uint64_t hart = 0; hart < HARTS; hart++)
		CHECK(count[hart] == 20);
}

/* --- Suspended ----------------------------------------------------------------------------------------------------------- */

#define RETENTIVE     0
#define NON_RETENTIVE 0x80000000

static void __attribute__((used)) resumed(uint64_t id, uint64_t stack)
{
	uint64_t hart = (stack - (uintptr_t)stacks) / sizeof(stacks[0]) - 1;

	failed[hart] += id != hart || CSR_READ("satp") != 0 || (CSR_READ("sstatus") & SSTATUS_SIE) || !(CSR_READ("sie") & SIE_STIE);
	count[hart]++;
	sbi(TIME, 0, UINT64_MAX, 0, 0);
	sbi(HSM, 1, 0, 0, 0);
	failed[hart]++;
}

static void __attribute__((naked, used)) resume_entry(void)
{
	__asm__ volatile("mv sp, a1\n\t"
			 "j resumed");
}

static void suspend(uint64_t hart)
{
	CSR_SET("sie", SIE_STIE);
	sbi(TIME, 0, CSR_READ("time") + 5000, 0, 0);
	failed[hart] += sbi(HSM, 3, NON_RETENTIVE, 0, 0).error != INVALID_ADDRESS;
	failed[hart] += sbi(HSM, 3, RETENTIVE, 0, 0).error != 0;
	sbi(TIME, 0, CSR_READ("time") + 5000, 0, 0);
	sbi(HSM, 3, NON_RETENTIVE, (uintptr_t)resume_entry, (uintptr_t)stacks[hart] + sizeof(stacks[0]));
	failed[hart]++; /* it has come back here */
}

static void suspending(void)
{
	start_others(suspend);
	wait_for_stop();
	for (uint64_t hart = 1; hart < HARTS; hart++)
		CHECK(count[hart] == 1);
}

/* --- Fences from afar ------------------------------------------------------------------------------------------------------ */

static uint64_t root[512] __attribute__((aligned(4096))), middle[512] __attribute__((aligned(4096)));
static uint64_t leaves[512] __attribute__((aligned(4096)));
static uint64_t pages[4][512] __attribute__((aligned(4096)));
static volatile uint64_t fenced;

#define WINDOW ((volatile uint64_t *)(1ul << 38 >> 1)) /* in the second quarter of Sv39's lower half, where no RAM is mapped */

/* RAM where it is, in blocks of 1 GiB; and the window. */
static void make_tables(void)
{
	uint64_t window = (uintptr_t)WINDOW;

	for (uint64_t gib = rt_ram.range[0].start >> 30; gib <= (ram_end() - 1) >> 30 && gib < 128; gib++)
		root[gib] = PTE_OF(gib << 30) | PTE_RWX | PTE_A | PTE_D | PTE_V;
	root[window >> 30 & 511] = PTE_OF(middle) | PTE_V;
	middle[window >> 21 & 511] = PTE_OF(leaves) | PTE_V;
}

/* Each round's page has the round's number in it. */
static void show(uint64_t round)
{
	uint64_t *page = pages[round % 4];

	*(volatile uint64_t *)page = round;
	relax();
	*(volatile uint64_t *)&leaves[(uintptr_t)WINDOW >> 12 & 511] = PTE_OF(page) | PTE_R | PTE_A | PTE_V;
	relax();
}

/* No exit, no fence of its own: an older round's page is what it has cached and was to forget. */
static void watch(uint64_t hart)
{
	CSR_WRITE("satp", SATP_SV39 | (uintptr_t)root >> 12);
	sfence_vma();
	while (fenced < ROUNDS) {
		uint64_t before = fenced, seen;

		relax();
		seen = *WINDOW;
		relax();
		if (seen < before)
			failed[hart]++;
		count[hart]++;
	}
	CSR_WRITE("satp", 0);
	sfence_vma();
}

static void fences(void)
{
	make_tables();
	show(0);
	start_others(watch);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		uint64_t seen = count[1];

		show(round);
		CHECK(sbi(RFENCE, 1, OTHERS, 0, (uintptr_t)WINDOW).error == 0);
		relax();
		fenced = round;
		if (round % 10 == 0)
			while (count[1] == seen && round < ROUNDS)
				rt_hypercall(YIELD, 0, 0, 0, 0);
	}
	wait_for_stop();
	CHECK(sbi(RFENCE, 0, 0, UINT64_MAX, 0).error == 0); /* to harts that are stopped, too */
	CHECK(sbi(5, 0, 0, 0, 0).error == 0);
}

/* All fence all others at once, so that each is asked while it waits for an answer. */
static void fence_all(uint64_t hart)
{
	while (count[hart] < ROUNDS) {
		failed[hart] += sbi(RFENCE, 1, (1ul << HARTS) - 1, 0, 0).error != 0;
		count[hart]++;
	}
}

static void crossing_fences(void)
{
	start_others(fence_all);
	count[0] = 0;
	fence_all(0);
	CHECK(failed[0] == 0);
	wait_for_stop();
}

/* --- FP registers ------------------------------------------------------------------------------------------------------------ */

#define FOR_32(each)                                                                                                        \
	each(0) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12) each(13) \
		each(14) each(15) each(16) each(17) each(18) each(19) each(20) each(21) each(22) each(23) each(24) each(25) \
			each(26) each(27) each(28) each(29) each(30) each(31)
/* fmv.d.x f<n>, t1 and back, by their numbers: this file is compiled without FP. */
#define PUT_F(n) __asm__ volatile("mv t1, %0\n\t.insn r 0x53, 0, 0x79, x" #n ", t1, x0" : : "r"(seed + n) : "t1");
#define CHECK_F(n)                                                                                      \
	__asm__ volatile(".insn r 0x53, 0, 0x71, t1, x" #n ", x0\n\tmv %0, t1" : "=r"(value) : : "t1"); \
	wrong += value != (seed ? seed + n : 0);

static uint64_t check_fp(uint64_t seed)
{
	uint64_t value, wrong = 0;

	FOR_32(CHECK_F)
	return wrong + ((CSR_READ("0x003") & 0xff) != (seed & 0xf)); /* fcsr */
}

static void put_fp(uint64_t seed)
{
	FOR_32(PUT_F)
	CSR_WRITE("0x003", seed & 0xf);
}

/* Zeros at first; then one's own, of which some rounds change nothing, so that nothing has to be saved. */
static void use_fp(uint64_t hart)
{
	uint64_t seed = 0;

	CSR_SET("sstatus", SSTATUS_FS);
	while (count[hart] < ROUNDS) {
		rt_hypercall(YIELD, 0, 0, 0, 0);
		failed[hart] += check_fp(seed);
		if (count[hart] % 4 == 0) {
			seed = (hart + 1) << 32 | count[hart] << 8 | (hart + 1);
			put_fp(seed);
		}
		count[hart]++;
	}
}

static void fp(void)
{
	start_others(use_fp);
	count[0] = 0;
	use_fp(0);
	CHECK(failed[0] == 0);
	wait_for_stop();
}

int guest_main(void)
{
	starting();
	interrupts();
	timers();
	suspending();
	fences();
	crossing_fences();
	fp();
	return check_status("harts");
}
