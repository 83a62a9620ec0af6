/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines, formatted by newlib and written to the console in one piece. */
#include "include/log.h"

#include <stdio.h>
#include <string.h>

#include "drivers/console.h"

/*
 * On any number of CPUs at once: newlib's vsnprintf keeps all that it has to remember on the stack, and allocates nothing where it
 * is given a buffer.
 */
static void write_line(const char *mark, const char *subject, const char *fmt, va_list ap)
{
	static const char cut[] = "...\n";
	char line[LOG_LINE_MAX];
	size_t room = sizeof(line) - 1, used = (size_t)snprintf(line, room, "%s%s", mark, subject);
	int length = vsnprintf(line + used, room - used, fmt, ap);

	if (length < 0)
		return;
	if ((size_t)length < room - used) {
		used += (size_t)length;
		line[used++] = '\n';
	} else {
		used = room;
		memcpy(line + used - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
	}
	console_write_line(line, used);
}

static const char *const marks[] = {
	[LOG_ERR] = "error: ",
	[LOG_WARN] = "warning: ",
	[LOG_INFO] = "",
	[LOG_DBG] = "",
};

void log_vline(enum log_level level, const char *fmt, va_list ap)
{
	write_line(marks[level], "", fmt, ap);
}

void log_vm_line(enum log_level level, const char *name, const char *fmt, ...)
{
	char subject[CONSOLE_NAME_ROOM + 8];
	va_list ap;

	snprintf(subject, sizeof(subject), "vm%s%s: ", name[0] != '\0' ? " " : "", name);
	va_start(ap, fmt);
	write_line(marks[level], subject, fmt, ap);
	va_end(ap);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line("nestling: fatal: ", "", fmt, ap);
	va_end(ap);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}
