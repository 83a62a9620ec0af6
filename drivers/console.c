/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's console: one sink at a time, and where its cursor stands. */
#include "drivers/console.h"

#include <string.h>

static console_sink current_sink;
static bool at_line_start = true;
static bool has_records;

#define RECORD 0x1e /* ASCII's "record separator" */

void console_set_sink(console_sink sink)
{
	current_sink = sink;
}

static void to_sink(const char *bytes, size_t size)
{
	if (current_sink && size > 0)
		current_sink(bytes, size);
}

/* Write text without bytes that would begin a record. */
static void plain_to_sink(const char *bytes, size_t size)
{
	const char *mark;

	while ((mark = memchr(bytes, RECORD, size)) != NULL) {
		size_t before = (size_t)(mark - bytes);

		to_sink(bytes, before);
		to_sink("?", 1);
		bytes += before + 1;
		size -= before + 1;
	}
	to_sink(bytes, size);
}

void console_record(const char *bytes, size_t size)
{
	static const char mark = RECORD;

	has_records = true;
	to_sink(&mark, 1);
	to_sink(bytes, size);
	to_sink("\n", 1);
}

void console_write(const char *bytes, size_t size)
{
	if (size == 0)
		return;
	if (has_records)
		plain_to_sink(bytes, size);
	else
		to_sink(bytes, size);
	at_line_start = bytes[size - 1] == '\n';
}

bool console_at_line_start(void)
{
	return at_line_start;
}
