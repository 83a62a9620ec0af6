/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a hart's state that a guest can tell apart by a number. For tests/guests/fork_state.c. */
#include "csr.h"
#include "tests/guests/check.h"

#define SSTATUS_VS (3ul << 9)

#define FOR_32(each)                                                                                                        \
	each(0) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12) each(13) \
		each(14) each(15) each(16) each(17) each(18) each(19) each(20) each(21) each(22) each(23) each(24) each(25) \
			each(26) each(27) each(28) each(29) each(30) each(31)
#define FOR_CSRS(each) each("sscratch") each("sepc") each("scause") each("stval") each("scounteren") each("fcsr")

static bool vectors;

/* A trap that is not expected is the end. For the one that tells whether there are vectors, the way goes on behind it. */
static bool can_read_vlenb(void)
{
	uint64_t old, value = 0;

	__asm__ volatile("la %0, 771f\n\tcsrrw %0, stvec, %0\n\t"
			 "csrr %1, 0xc22\n\t" /* vlenb */
			 ".balign 4\n771:\tcsrw stvec, %0"
			 : "=&r"(old), "+&r"(value));
	return value != 0;
}

static void state_init(void)
{
	CSR_SET("sstatus", SSTATUS_FS);
	CSR_SET("sstatus", SSTATUS_VS);
	vectors = (CSR_READ("sstatus") & SSTATUS_VS) && can_read_vlenb();
	rt_printf("fork_state: vectors: %s\n", vectors ? "yes" : "no");
}

/* fmv.d.x f<n>, t1 and back, by their numbers: this file is compiled without FP. */
#define PUT_F(n) __asm__ volatile("mv t1, %0\n\t.insn r 0x53, 0, 0x79, x" #n ", t1, x0" : : "r"(seed * 0x1000193 + n) : "t1");
#define CHECK_F(n)                                                                                      \
	__asm__ volatile(".insn r 0x53, 0, 0x71, t1, x" #n ", x0\n\tmv %0, t1" : "=r"(value) : : "t1"); \
	CHECK(value == seed * 0x1000193 + n);
#define V        ".option push\n\t.option arch, +v\n\t"
#define PUT_V(n) __asm__ volatile(V "vmv.v.x v" #n ", %0\n\t.option pop" : : "r"(seed * 0x10001 + n));
#define CHECK_V(n)                                                              \
	__asm__ volatile(V "vmv.x.s %0, v" #n "\n\t.option pop" : "=r"(value)); \
	CHECK(value == seed * 0x10001 + n);

/* sepc's lowest bit is always 0, fcsr has eight: the numbers are small and even. */
#define PUT_CSR(name)   CSR_WRITE(name, 2 * seed);
#define CHECK_CSR(name) CHECK(CSR_READ(name) == 2 * seed);

static void state_put(uint64_t seed)
{
	FOR_32(PUT_F)
	FOR_CSRS(PUT_CSR)
	if (vectors) {
		__asm__ volatile(V "vsetvli zero, %0, e64, m1, ta, ma\n\t.option pop" : : "r"(2ul));
		FOR_32(PUT_V)
		CSR_WRITE("0x00f", seed); /* vcsr */
	}
}

static void state_check(uint64_t seed)
{
	uint64_t value;

	FOR_CSRS(CHECK_CSR)
	FOR_32(CHECK_F)
	if (!vectors)
		return;
	CHECK(CSR_READ("0x00f") == seed);
	CHECK(CSR_READ("0xc20") == 2); /* vl */
	FOR_32(CHECK_V)
}
