/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts put together piece by piece. */
#include "vmm/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "npt/npt.h"
#include "vmm/hypercall.h"
#include "vmm/vm.h"

const char *access_text(unsigned access)
{
	if (access & NPT_X)
		return "execution";
	return access & NPT_W ? "write" : "read";
}

#define NAME_OF(number, NAME, name) [HYPERCALL_##NAME] = #name,

const char *hypercall_name(uint64_t number)
{
	static const char *const names[HYPERCALL_COUNT] = { HYPERCALLS(NAME_OF, NAME_OF) };

	return number < HYPERCALL_COUNT ? names[number] : "?";
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

const char *text_size(char text[TEXT_SIZE_ROOM], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	uint64_t unit = 1;
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && bytes / unit >= 1024) {
		unit <<= 10;
		i++;
	}
	if (bytes % unit == 0)
		snprintf(text, TEXT_SIZE_ROOM, "%lu %s", bytes / unit, units[i]);
	else
		snprintf(text, TEXT_SIZE_ROOM, "%lu.%lu %s", bytes / unit, (bytes % unit) * 10 / unit, units[i]);
	return text;
}

const char *text_prot(char text[TEXT_PROT_ROOM], unsigned prot)
{
	text[0] = prot & NPT_R ? 'r' : '-';
	text[1] = prot & NPT_W ? 'w' : '-';
	text[2] = prot & NPT_X ? 'x' : '-';
	text[3] = '\0';
	return text;
}

void text_add_ram(char *text, size_t size, const struct vm *vm)
{
	for (size_t i = 0; i < vm->ram_ranges; i++)
		text_add(text, size, "%s%#lx-%#lx", i ? " and " : "RAM is at ", vm->ram[i].start.raw,
			 vm->ram[i].start.raw + vm->ram[i].size);
}
