/* SPDX-License-Identifier: BSD-2-Clause */
/* The values of nestling.cfg that are numbers. */
#include "boot/config_value.h"

#include <string.h>

#include "vmm/cpu.h"

/* A century: no run lasts longer, and nothing that is computed from it overflows. */
#define SECONDS_MAX (100ull * 365 * 24 * 3600)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number that `*text` begins with; `*text` then is what stands behind it. */
static enum err take_number(const char **text, uint64_t *number)
{
	uint64_t value = 0;

	if (!is_digit(**text))
		return ERR_INVALID;
	for (; is_digit(**text); ++*text)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
			return ERR_RANGE;
	*number = value;
	return ERR_OK;
}

enum err config_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t value;
	enum err err = take_number(&text, &value);

	if (err != ERR_OK)
		return err;
	if (*text != '\0') {
		unit = *text > '9' ? strchr(units, *text & ~0x20) : NULL; /* either case */
		if (!unit || text[1] != '\0')
			return ERR_INVALID;
		for (; unit >= units; unit--)
			if (__builtin_mul_overflow(value, 1024, &value))
				return ERR_RANGE;
	}
	*bytes = value;
	return ERR_OK;
}

enum err config_parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	uint64_t value;
	enum err err = take_number(&text, &value);

	if (err != ERR_OK || *text != '\0')
		return err != ERR_OK ? err : ERR_INVALID;
	if (value < least || value > most)
		return ERR_RANGE;
	*number = value;
	return ERR_OK;
}

enum err config_parse_seconds(const char *text, uint64_t *microseconds)
{
	uint64_t seconds, value;
	enum err err = take_number(&text, &seconds);

	if (err != ERR_OK)
		return err;
	if (seconds > SECONDS_MAX)
		return ERR_RANGE;
	value = seconds * 1000000;
	if (*text == '.') {
		if (!is_digit(*++text))
			return ERR_INVALID;
		for (unsigned unit = 100000; is_digit(*text); unit /= 10)
			value += unit * (unsigned)(*text++ - '0');
	}
	if (*text != '\0')
		return ERR_INVALID;
	if (value == 0)
		return ERR_RANGE;
	*microseconds = value;
	return ERR_OK;
}

/* "2" or "0-3" at `*text`. */
static enum err take_range(const char **text, uint64_t *set)
{
	uint64_t first, last;
	enum err err = take_number(text, &first);

	last = first;
	if (err == ERR_OK && **text == '-') {
		++*text;
		err = take_number(text, &last);
	}
	if (err != ERR_OK)
		return err;
	if (last < first)
		return ERR_INVALID;
	if (last >= CPU_MAX)
		return ERR_RANGE;
	for (uint64_t cpu = first; cpu <= last; cpu++)
		*set |= BIT(cpu);
	return ERR_OK;
}

enum err config_parse_cpus(const char *text, uint64_t *set)
{
	uint64_t found = 0;
	enum err err = take_range(&text, &found);

	while (err == ERR_OK && *text == ',') {
		do
			text++;
		while (*text == ' ');
		err = take_range(&text, &found);
	}
	if (err == ERR_OK && *text != '\0')
		err = ERR_INVALID;
	if (err == ERR_OK)
		*set = found;
	return err;
}
