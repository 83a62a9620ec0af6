/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs code that it has just written to fresh memory, code that it overwrites, and fresh memory itself. */
#include "tests/guests/check.h"

/* movl $value, %eax; ret */
static void write_code(uint8_t *to, uint8_t value)
{
	const uint8_t code[] = { 0xb8, value, 0, 0, 0, 0xc3 };

	memcpy(to, code, sizeof(code));
}

static int run(void *code)
{
	int result;

	__asm__ volatile("call *%1" : "=a"(result) : "r"(code) : "memory", "cc");
	return result;
}

int guest_main(void)
{
	uint8_t *code = fresh_page(), *high = fresh_page(), *low = fresh_page();
	uint8_t scratch = 7;

	write_code(code, 42);
	CHECK(run(code) == 42);
	write_code(code, 43);
	CHECK(run(code) == 43);

	/* The last two bytes of a page never touched are "addb %al, (%rax)"; then comes the next page's "ret". */
	CHECK(low + RT_PAGE_SIZE == high);
	high[0] = 0xc3;
	__asm__ volatile("call *%1" : : "a"(&scratch), "r"(low + RT_PAGE_SIZE - 2) : "memory", "cc");
	CHECK(scratch == (uint8_t)(7 + (uint8_t)(uintptr_t)&scratch));
	return check_status("exec");
}
