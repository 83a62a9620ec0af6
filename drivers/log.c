/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines, formatted by newlib and written to the console in one piece. */
#include "include/log.h"

#include <stdio.h>
#include <string.h>

#include "drivers/console.h"

static void write_line(const char *mark, const char *fmt, va_list ap)
{
	static const char cut[] = "...\n";
	char line[LOG_LINE_MAX];
	size_t room = sizeof(line) - 1, used = 0;
	int length;

	if (!console_at_line_start())
		line[used++] = '\n';
	strcpy(line + used, mark);
	used += strlen(mark);
	length = vsnprintf(line + used, room - used, fmt, ap);
	if (length < 0)
		return;
	if ((size_t)length < room - used) {
		used += (size_t)length;
		line[used++] = '\n';
	} else {
		used = room;
		memcpy(line + used - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
	}
	console_write(line, used);
}

void log_vline(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const marks[] = {
		[LOG_ERR] = "error: ",
		[LOG_WARN] = "warning: ",
		[LOG_INFO] = "",
		[LOG_DBG] = "",
	};

	write_line(marks[level], fmt, ap);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line("nestling: fatal: ", fmt, ap);
	va_end(ap);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}
