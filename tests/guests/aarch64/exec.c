/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs code that it has just written to fresh memory, code that it overwrites, and fresh memory itself, caches on. */
#include "tests/guests/aarch64/paging.h"
#include "tests/guests/aarch64/vectors.h"

/* "Concurrent modification and execution of instructions", for one CPU. Lines are no shorter than 16 bytes. */
static void publish(const void *code)
{
	__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" : : "r"(code) : "memory");
}

/* movz w0, #value; ret */
static void write_code(volatile uint32_t *to, uint16_t value)
{
	to[0] = 0x52800000 | (uint32_t)value << 5;
	to[1] = 0xd65f03c0;
	publish((const void *)to);
}

static int run(const void *code)
{
	int (*function)(void) = (int (*)(void))(uintptr_t)code;

	return function();
}

int guest_main(void)
{
	uint32_t *code = fresh_page(), *unmapped = fresh_page();
	uint64_t esr;

	/* Without the MMU and caches first. */
	write_code(code, 41);
	CHECK(run(code) == 41);
	trap_init();
	paging_on(0);
	for (uint16_t value = 0; value < 200; value++) {
		write_code(code + value % 32 * 16, value);
		CHECK(run(code + value % 32 * 16) == value);
	}
	esr = TRAP_OF("br %[at]", [at] "+r"(unmapped) :);
	CHECK(ESR_EC(esr) == EC_UNDEFINED && trap.pc == (uintptr_t)unmapped);
	write_code(unmapped, 42);
	CHECK(run(unmapped) == 42);
	return check_status("exec");
}
