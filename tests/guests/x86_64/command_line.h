/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of an x86_64 guest: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". */
#ifndef NESTLING_TESTS_GUESTS_COMMAND_LINE_H
#define NESTLING_TESTS_GUESTS_COMMAND_LINE_H

#include "guest/rt/rt.h"

/* NULL: boot_params is not what a kernel takes for one. */
static inline const char *command_line(void)
{
	const char *params = (const char *)0x1000;
	uint16_t boot_flag, version;
	uint32_t magic, line, size;

	memcpy(&boot_flag, params + 0x1fe, sizeof(boot_flag));
	memcpy(&magic, params + 0x202, sizeof(magic));
	memcpy(&version, params + 0x206, sizeof(version));
	memcpy(&line, params + 0x228, sizeof(line));
	memcpy(&size, params + 0x238, sizeof(size));
	if (boot_flag != 0xaa55 || magic != 0x53726448 || version < 0x20c || (uint8_t)params[0x210] != 0xff || params[0x211] != 1 ||
	    line == 0 || strlen((const char *)(uintptr_t)line) > size)
		return NULL;
	return (const char *)(uintptr_t)line;
}

#endif
