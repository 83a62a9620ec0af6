/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers in a guest's command line. */
#ifndef NESTLING_TESTS_GUESTS_OPTION_H
#define NESTLING_TESTS_GUESTS_OPTION_H

#include <stdint.h>
#include <string.h>

/* The decimal number after `name`, which ends in '='; `otherwise`, if it is not there. `line` may be NULL. */
static inline uint64_t option(const char *line, const char *name, uint64_t otherwise)
{
	size_t length = strlen(name);
	uint64_t value = 0;

	for (; line && *line; line++) {
		if (memcmp(line, name, length) != 0)
			continue;
		for (line += length; *line >= '0' && *line <= '9'; line++)
			value = value * 10 + (uint64_t)(*line - '0');
		return value;
	}
	return otherwise;
}

#endif
