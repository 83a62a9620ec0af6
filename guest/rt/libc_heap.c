/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap under newlib's malloc: the largest piece of RAM that nobody has written to, from its start on. It costs what is
 * touched. What malloc has is no longer fresh; a guest that hands out fresh memory itself had better do that first.
 */
#include <errno.h>

#include "guest/rt/rt.h"

/* Of newlib's Reentrant Syscalls, all on the C library's own terms. */
void *_sbrk(ptrdiff_t more);

static uint64_t start, used, end;

static void find_heap(void)
{
	for (size_t i = 0; i < rt_fresh.count; i++) {
		if (rt_fresh.range[i].size <= end - start)
			continue;
		start = rt_fresh.range[i].start;
		end = start + rt_fresh.range[i].size;
	}
	used = start;
}

void *_sbrk(ptrdiff_t more)
{
	uint64_t before;

	if (end == 0)
		find_heap();
	before = used;
	if (more < 0 ? used - start < -(uint64_t)more : end - used < (uint64_t)more) {
		errno = ENOMEM;
		return (void *)-1;
	}
	used += (uint64_t)more;
	rt_reserve(start, used);
	return (void *)before;
}
