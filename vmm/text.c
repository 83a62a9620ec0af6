/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts put together piece by piece. */
#include "vmm/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "npt/npt.h"

const char *access_text(unsigned access)
{
	if (access & NPT_X)
		return "execution";
	return access & NPT_W ? "write" : "read";
}

void text_add(char *text, size_t size, const char *fmt, ...)
{
	size_t used = strnlen(text, size);
	va_list args;

	if (used + 1 >= size)
		return;
	va_start(args, fmt);
	vsnprintf(text + used, size - used, fmt, args);
	va_end(args);
}
