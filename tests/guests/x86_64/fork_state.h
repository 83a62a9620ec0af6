/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a CPU's state that a guest can tell apart by a number. For tests/guests/fork_state.c. */
#include "command_line.h"
#include "tests/guests/check.h"
#include "tests/guests/option.h"

#define FOR_XMM(each)                                                                                                       \
	each(0) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12) each(13) \
		each(14) each(15)
#define FOR_DR(each) each(0) each(1) each(2) each(3)

/* STAR, LSTAR, CSTAR, FMASK; the bases of FS, GS and KERNEL_GS; SYSENTER's. */
static const uint32_t msrs[] = {
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0x174, 0x175, 0x176,
};
#define MSRS (sizeof(msrs) / sizeof(msrs[0]))

static bool keeps_cr2;

/* For emulators. "if=1": with IF of RFLAGS set; no interrupt comes, for the local APIC is as it was reset. "cr2=0": without CR2. */
static void state_init(void)
{
	keeps_cr2 = option(command_line(), "cr2=", 1);
	if (option(command_line(), "if=", 0))
		__asm__ volatile("sti");
}

static void state_put(uint64_t seed)
{
	uint32_t mxcsr = 0x1f80 + ((uint32_t)seed & 0x3f);

#define PUT_XMM(n) __asm__ volatile("movq %0, %%xmm" #n : : "r"(seed * 0x1000193 + n));
#define PUT_DR(n)  __asm__ volatile("movq %0, %%dr" #n : : "r"(seed * 0x1000 + n));
	FOR_XMM(PUT_XMM)
	FOR_DR(PUT_DR)
	__asm__ volatile("movq %0, %%cr2" : : "r"(seed * 0x7777));
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("fninit; fildq %0" : : "m"(seed));
	for (size_t i = 0; i < MSRS; i++) {
		uint64_t value = seed * 0x100 + i;

		__asm__ volatile("wrmsr" : : "c"(msrs[i]), "a"((uint32_t)value), "d"(0));
	}
}

static void state_check(uint64_t seed)
{
	uint64_t value;
	uint32_t low, high, mxcsr;

#define CHECK_XMM(n)                                            \
	__asm__ volatile("movq %%xmm" #n ", %0" : "=r"(value)); \
	CHECK(value == seed * 0x1000193 + n);
#define CHECK_DR(n)                                            \
	__asm__ volatile("movq %%dr" #n ", %0" : "=r"(value)); \
	CHECK(value == seed * 0x1000 + n);
	FOR_XMM(CHECK_XMM)
	FOR_DR(CHECK_DR)
	__asm__ volatile("movq %%cr2, %0" : "=r"(value));
	CHECK(value == seed * 0x7777 || !keeps_cr2);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	CHECK(mxcsr == 0x1f80 + (seed & 0x3f));
	__asm__ volatile("fistpq %0; fildq %0" : "=m"(value));
	CHECK(value == seed);
	for (size_t i = 0; i < MSRS; i++) {
		__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msrs[i]));
		CHECK(low == seed * 0x100 + i && high == 0);
	}
}
