/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks for /chosen/bootargs. Devicetree Specification 0.4, "Flattened Devicetree (DTB) Format". */
#ifndef NESTLING_TESTS_GUESTS_BOOTARGS_H
#define NESTLING_TESTS_GUESTS_BOOTARGS_H

#include <string.h>

#include "guest/rt/rt.h"

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE, FDT_PROP, FDT_NOP };

static inline uint32_t fdt_word(const void *at)
{
	const uint8_t *bytes = at;

	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* NULL: there is none. */
static inline const char *find_bootargs(const void *tree)
{
	const char *at = (const char *)tree + fdt_word((const char *)tree + 8);
	const char *strings = (const char *)tree + fdt_word((const char *)tree + 12);
	bool chosen = false;

	for (;;) {
		uint32_t token = fdt_word(at), size;

		at += 4;
		if (token == FDT_BEGIN_NODE) {
			chosen = strcmp(at, "chosen") == 0;
			at += (strlen(at) + 4) & ~3ul;
		} else if (token == FDT_PROP) {
			size = fdt_word(at);
			if (chosen && strcmp(strings + fdt_word(at + 4), "bootargs") == 0)
				return at + 8;
			at += 8 + ((size + 3) & ~3u);
		} else if (token != FDT_END_NODE && token != FDT_NOP) {
			return NULL;
		}
	}
}

#endif
