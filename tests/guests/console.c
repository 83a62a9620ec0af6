/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes to the console in every way that could go wrong. */
#include "tests/guests/check.h"

static char text[2 * RT_PAGE_SIZE] __attribute__((aligned(4096)));

static uint64_t console_write(const void *from, uint64_t size)
{
	return rt_hypercall(RT_CALL_CONSOLE_WRITE, (uintptr_t)from, size, 0, 0);
}

static uint64_t write_bytes(uint64_t gpa, uint64_t size)
{
	return rt_hypercall(RT_CALL_CONSOLE_WRITE, gpa, size, 0, 0);
}

/* What is not all RAM is refused whole; nothing of it is printed. */
static void refusals(void)
{
	uint64_t end = ram_end();

	CHECK(write_bytes(end, 1) == RT_INVALID);
	CHECK(write_bytes(end + 0x10000000, 16) == RT_INVALID);
	CHECK(write_bytes(~0ul, 1) == RT_INVALID);
	CHECK(write_bytes(~0ul, 2) == RT_INVALID);
	CHECK(write_bytes(~0ul, ~0ul) == RT_INVALID);
	CHECK(write_bytes(1ul << 63, 16) == RT_INVALID);
	CHECK(write_bytes(0xfffffffffffff000, RT_PAGE_SIZE) == RT_INVALID);
	CHECK(write_bytes(end - 8, 16) == RT_INVALID);
	CHECK(console_write(text, 0) == 0);
}

static void lengths(void)
{
	memset(text, 'x', sizeof(text));
	text[79] = text[1079] = text[RT_PAGE_SIZE - 1] = text[RT_PAGE_SIZE + 99] = '\n';
	CHECK(console_write(text, 80) == 80);
	CHECK(console_write(text + 80, 1000) == 1000);
	memcpy(text + RT_PAGE_SIZE - 16, "across a border\n", 16);
	memcpy(text + RT_PAGE_SIZE - 10, "a page border\n", 14);
	CHECK(console_write(text + RT_PAGE_SIZE - 10, 14) == 14);
	memset(text, 'y', sizeof(text));
	text[RT_CONSOLE_MAX - 1] = '\n';
	CHECK(console_write(text, sizeof(text)) == RT_CONSOLE_MAX);
	CHECK(console_write(text, 1ul << 62) == RT_CONSOLE_MAX);
	CHECK(console_write(text, ~0ul) == RT_CONSOLE_MAX);
}

/* Memory that was never touched is as good as any: zeros. */
static void fresh(void)
{
	char *high = fresh_page(), *low = fresh_page();

	CHECK(low + RT_PAGE_SIZE == high);
	CHECK(console_write(low + RT_PAGE_SIZE - 4, 8) == 8);
	CHECK(low[0] == 0 && high[0] == 0);
	rt_printf("\n");
}

int guest_main(void)
{
	refusals();
	lengths();
	fresh();
	for (unsigned i = 0; i < 300; i++)
		rt_putc((char)('a' + i % 26));
	rt_putc('\n');
	rt_putc('\a');
	rt_printf("console: \x01\x1b[7m\xff\xfe\x1b[0m odd bytes\n");
	return check_status("console");
}
