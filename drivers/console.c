/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's console: one sink at a time, and where its cursor stands. */
#include "drivers/console.h"

static console_sink current_sink;
static bool at_line_start = true;

void console_set_sink(console_sink sink)
{
	current_sink = sink;
}

void console_write(const char *bytes, size_t size)
{
	if (size == 0)
		return;
	if (current_sink)
		current_sink(bytes, size);
	at_line_start = bytes[size - 1] == '\n';
}

bool console_at_line_start(void)
{
	return at_line_start;
}
