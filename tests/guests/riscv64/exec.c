/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs code that it has just written to fresh memory, code that it overwrites, and fresh memory itself. */
#include "tests/guests/riscv64/paging.h"
#include "tests/guests/riscv64/trap.h"

/* addi a0, zero, value; ret */
static void write_code(volatile uint32_t *to, uint32_t value)
{
	to[0] = 0x00000513 | value << 20;
	to[1] = 0x00008067;
	__asm__ volatile("fence.i" : : : "memory");
}

static int run(const void *code)
{
	int (*function)(void) = (int (*)(void))(uintptr_t)code;

	return function();
}

/* The first two bytes are the last of a page, the others are on the next one, which nobody has touched. */
static void across(char *high)
{
	volatile uint16_t *half = (volatile uint16_t *)(high - 2);
	uint64_t at = (uintptr_t)half;

	*half = 0x0513; /* and 0x0000: addi a0, zero, 0; then zeroes, which are illegal */
	__asm__ volatile("fence.i" : : : "memory");
	CHECK(TRAP_OF("jr %[at]", [at] "+r"(at) :) == CAUSE_ILLEGAL_INSN);
	CHECK(trap.pc == (uintptr_t)high + 2);
}

int guest_main(void)
{
	uint32_t *code = fresh_page(), *fresh = fresh_page();
	char *high = fresh_page(), *low = fresh_page();

	trap_init();
	write_code(code, 41);
	CHECK(run(code) == 41);
	CHECK(low + RT_PAGE_SIZE == high);
	across(high);
	CHECK(paging_on(3) != 0);
	for (uint32_t value = 0; value < 200; value++) {
		write_code(code + value % 32 * 16, value);
		CHECK(run(code + value % 32 * 16) == (int)value);
	}
	CHECK(TRAP_OF("jr %[at]", [at] "+r"(fresh) :) == CAUSE_ILLEGAL_INSN && trap.pc == (uintptr_t)fresh);
	write_code(fresh, 42);
	CHECK(run(fresh) == 42);
	return check_status("exec");
}
