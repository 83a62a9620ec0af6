/* SPDX-License-Identifier: BSD-2-Clause */
/* Reaches the UART by loads and stores of all widths, into and from various registers. PL011: DDI 0183. */
#include "tests/guests/aarch64/el1.h"
#include "tests/guests/check.h"

#define UART      0x09000000ul
#define FR        (UART + 0x18)
#define IBRD      (UART + 0x24) /* 16 bits that can be written and read back */
#define PERIPHID0 (UART + 0xfe0)

#define LOAD(insn, address, x, reg)                                                                           \
	({                                                                                                    \
		register uint64_t value_ __asm__(x);                                                          \
		__asm__ volatile(insn " " reg ", [%1]" : "=r"(value_) : "r"((uint64_t)(address)) : "memory"); \
		value_;                                                                                       \
	})
#define STORE(insn, address, value, x, reg)                                                                   \
	({                                                                                                    \
		register uint64_t value_ __asm__(x) = (value);                                                \
		__asm__ volatile(insn " " reg ", [%1]" : : "r"(value_), "r"((uint64_t)(address)) : "memory"); \
	})

/* Loop back: nothing goes out, the byte comes back, RTS is CTS. */
static void check_loop(void)
{
	STORE("str", UART + 0x2c, 0x70, "x1", "w1");
	STORE("str", UART + 0x30, 0xb81, "x1", "w1");
	STORE("strb", UART, '!', "x1", "w1");
	CHECK(LOAD("ldr", FR, "x0", "w0") == 0x81);
	CHECK(LOAD("ldr", UART, "x0", "w0") == '!');
	CHECK(LOAD("ldr", FR, "x0", "w0") == 0x91);
	STORE("str", UART + 0x30, 0x301, "x1", "w1");
	CHECK(LOAD("ldr", FR, "x0", "w0") == 0x90);
}

int guest_main(void)
{
	check_loop();
	STORE("str", IBRD, 0xfedc98a5, "x19", "w19");
	CHECK(LOAD("ldr", IBRD, "x0", "w0") == 0x98a5);
	CHECK(LOAD("ldr", IBRD, "x29", "w29") == 0x98a5);
	CHECK(LOAD("ldrh", IBRD, "x30", "w30") == 0x98a5);
	CHECK(LOAD("ldrb", IBRD, "x7", "w7") == 0xa5);
	CHECK(LOAD("ldrsb", IBRD, "x8", "x8") == 0xffffffffffffffa5);
	CHECK(LOAD("ldrsb", IBRD, "x9", "w9") == 0xffffffa5);
	CHECK(LOAD("ldrsh", IBRD, "x10", "x10") == 0xffffffffffff98a5);
	CHECK(LOAD("ldrsh", IBRD, "x11", "w11") == 0xffff98a5);
	CHECK(LOAD("ldrsw", IBRD, "x12", "x12") == 0x98a5);
	CHECK((LOAD("ldr", IBRD, "x13", "x13") & 0xffffffff) == 0x98a5);
	STORE("strh", IBRD, 0x1234, "x18", "w18");
	CHECK(LOAD("ldr", IBRD, "x15", "w15") == 0x1234);
	__asm__ volatile("str wzr, [%0]" : : "r"(IBRD) : "memory");
	CHECK(LOAD("ldr", IBRD, "x16", "w16") == 0);
	__asm__ volatile("ldr wzr, [%0]" : : "r"(IBRD) : "memory");
	CHECK((LOAD("ldr", FR, "x17", "w17") & 0x20) == 0);
	CHECK(LOAD("ldr", PERIPHID0, "x20", "w20") == 0x11);
	CHECK(LOAD("ldar", IBRD, "x21", "w21") == 0);
	return check_status("mmio");
}
