/* SPDX-License-Identifier: BSD-2-Clause */
/* What mm/ and npt/ call of the rest, for the host benchmarks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/arch/machine.h"
#include "include/log.h"
#include "include/panic.h"

void arch_zero_guest_memory(void *pages, uint64_t size);

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void log_vm_line(enum log_level level, const char *name, const char *fmt, ...)
{
	(void)level;
	(void)name;
	(void)fmt;
}

void arch_zero_pages(void *pages, uint64_t size)
{
	memset(pages, 0, size);
}

void arch_copy_page(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
}

/*
 * What the files that get memory for a guest call instead (Makefile): its frames are not cleared in what is timed here, as they
 * were not in what these figures are compared with.
 */
void arch_zero_guest_memory(void *pages, uint64_t size)
{
	(void)pages;
	(void)size;
}
