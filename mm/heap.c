/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory behind newlib's malloc, and the other system calls that newlib wants to link. */
#include "mm/heap.h"

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

#include "include/panic.h"
#include "mm/frame.h"

enum { HEAP_ORDER = 6 }; /* 256 KiB: a VM, a few tables of text */

static struct {
	char *start, *brk, *end;
} heap;

enum err heap_init(void)
{
	hpa_t frame;
	enum err err = frame_alloc(HEAP_ORDER, &frame);

	if (err != ERR_OK)
		return err;
	heap.start = heap.brk = frame_ptr(frame);
	heap.end = heap.start + (PAGE_SIZE << HEAP_ORDER);
	return ERR_OK;
}

/* newlib's malloc grows the heap by this; declared by no header. */
void *_sbrk(ptrdiff_t increment);

void *_sbrk(ptrdiff_t increment)
{
	char *old = heap.brk;

	if (increment > heap.end - old || increment < heap.start - old) {
		errno = ENOMEM;
		return (void *)-1;
	}
	heap.brk += increment;
	return old;
}
