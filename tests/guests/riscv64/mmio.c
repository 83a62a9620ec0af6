/* SPDX-License-Identifier: BSD-2-Clause */
/* Reaches the UART by every load and store there is, into and from various registers. */
#include "tests/guests/check.h"

#define UART 0x10000000
#define LCR  (UART + 3)
#define SCR  (UART + 7)

#define LOAD(insn, address, reg)                                                                         \
	({                                                                                               \
		register uint64_t value_ __asm__(reg);                                                   \
		__asm__ volatile(insn " %0, (%1)" : "=r"(value_) : "r"((uint64_t)(address)) : "memory"); \
		value_;                                                                                  \
	})
#define STORE(insn, address, value, reg)                                                                 \
	({                                                                                               \
		register uint64_t value_ __asm__(reg) = (value);                                         \
		__asm__ volatile(insn " %0, (%1)" : : "r"(value_), "r"((uint64_t)(address)) : "memory"); \
	})

/* Compressed forms, the base in a1 and the value in a2; and those relative to sp. */
#define C_LOAD(insn, base)                                                                                                    \
	({                                                                                                                    \
		register uint64_t a1_ __asm__("a1") = (base), a2_ __asm__("a2");                                              \
		__asm__ volatile(".option push\n\t.option rvc\n\t" insn "\n\t.option pop" : "=r"(a2_) : "r"(a1_) : "memory"); \
		a2_;                                                                                                          \
	})
#define C_STORE(insn, base, value)                                                                                            \
	({                                                                                                                    \
		register uint64_t a1_ __asm__("a1") = (base), a2_ __asm__("a2") = (value);                                    \
		__asm__ volatile(".option push\n\t.option rvc\n\t" insn "\n\t.option pop" : : "r"(a2_), "r"(a1_) : "memory"); \
	})
#define BY_SP(insn) "mv a3, sp\n\tmv sp, a1\n\t" insn "\n\tmv sp, a3"

static void full_width(void)
{
	STORE("sb", SCR, 0x85, "t0");
	CHECK(LOAD("lbu", SCR, "s11") == 0x85);
	CHECK(LOAD("lb", SCR, "t6") == 0xffffffffffffff85);
	STORE("sh", UART + 6, 0x9700, "s3"); /* the first byte is read only */
	CHECK(LOAD("lbu", SCR, "a7") == 0x97);
	CHECK(LOAD("lhu", UART + 6, "s4") == 0x97b0);
	CHECK(LOAD("lh", UART + 6, "s5") == 0xffffffffffff97b0);
	STORE("sw", UART + 4, 0xa1ffff00, "t4");
	CHECK(LOAD("lwu", UART + 4, "gp") == 0xa1b06000);
	CHECK(LOAD("lw", UART + 4, "t2") == 0xffffffffa1b06000);
	CHECK(LOAD("ld", UART, "tp") == 0xa1b0600000010000);
	STORE("sd", UART + 4, 0x11111111c3000000, "ra"); /* across its end */
	CHECK(LOAD("lbu", SCR, "s2") == 0xc3);
	__asm__ volatile("sb zero, (%0)" : : "r"((uint64_t)SCR) : "memory");
	CHECK(LOAD("lbu", SCR, "a0") == 0);
	__asm__ volatile("lb zero, (%0)" : : "r"((uint64_t)SCR) : "memory");
}

static void compressed(void)
{
	C_STORE("c.sw a2, 4(a1)", UART, 0x5a000000);
	CHECK(LOAD("lbu", SCR, "a2") == 0x5a);
	CHECK(C_LOAD("c.lw a2, 4(a1)", UART) == 0x5ab06000);
	C_STORE("c.sd a2, 0(a1)", UART, 0xf600000000000000);
	CHECK(C_LOAD("c.ld a2, 0(a1)", UART) == 0xf6b0600000010000);
	CHECK(C_LOAD("c.lw a2, 4(a1)", UART) == 0xfffffffff6b06000);
	C_STORE(BY_SP("c.swsp a2, 4(sp)"), UART, 0x77000000);
	CHECK(C_LOAD(BY_SP("c.lwsp a2, 4(sp)"), UART) == 0x77b06000);
	C_STORE(BY_SP("c.sdsp a2, 0(sp)"), UART, 0x8800000000000000);
	CHECK(C_LOAD(BY_SP("c.ldsp a2, 0(sp)"), UART) == 0x88b0600000010000);
}

int guest_main(void)
{
	LOAD("lbu", LCR, "a0");
	full_width();
	compressed();
	return check_status("mmio");
}
