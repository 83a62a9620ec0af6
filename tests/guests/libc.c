/* SPDX-License-Identifier: BSD-2-Clause */
/* newlib in a guest: its printf and the runtime's in order, a heap that costs what is touched, and the end by exit(). */
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guests/check.h"

ssize_t _write(int file, const void *from, size_t size);
void *_sbrk(ptrdiff_t more);

static void output(void)
{
	char text[64];

	printf("libc: %s %5.3s|%-6d|%06x|%lu %zu %lld %c\n", "formats", "abcdef", -42, 0xbeefu, ~0ul, sizeof(text), -5ll, '!');
	rt_printf("libc: the runtime's own, in between\n");
	puts("libc: puts");
	CHECK(snprintf(text, sizeof(text), "%d", 12345) == 5 && strcmp(text, "12345") == 0);
	CHECK(_write(7, text, 1) == -1 && errno == EBADF);
	CHECK(getchar() == EOF);
}

static void heap(void)
{
	uint64_t before = rt_memory_info(RT_MEMORY_RESIDENT), fresh = rt_fresh.range[rt_fresh.count - 1].size;
	char *large = malloc(512ul << 20), *small;

	CHECK(large);
	/* The block's header is all that was written. */
	CHECK(rt_memory_info(RT_MEMORY_RESIDENT) - before <= 2 * RT_PAGE_SIZE);
	CHECK(rt_fresh.range[rt_fresh.count - 1].size <= fresh - (512ul << 20));
	for (size_t i = 0; i < 512ul << 20; i += 64ul << 20)
		large[i] = (char)i;
	CHECK(rt_memory_info(RT_MEMORY_RESIDENT) - before <= 12 * RT_PAGE_SIZE);
	errno = 0;
	CHECK(!malloc(1ul << 40) && errno == ENOMEM);
	small = calloc(100, 7);
	CHECK(small && small[0] == 0 && small[699] == 0);
	small = realloc(small, 70000);
	CHECK(small && small[699] == 0);
	free(small);
	free(large);
	small = malloc(256ul << 20); /* what was given back is there again */
	CHECK(small >= large && small < large + (512ul << 20));
	CHECK(_sbrk(-((ptrdiff_t)1 << 40)) == (void *)-1);
}

static void jump(void)
{
	static jmp_buf back;
	volatile int times = 0;
	int value = setjmp(back);

	CHECK(value == times);
	if (++times < 3)
		longjmp(back, times);
}

static void at_end(void)
{
	printf("libc: an unfinished line, and then the end");
}

int guest_main(void)
{
	output();
	heap();
	jump();
	atexit(at_end);
	exit(check_status("libc"));
}
