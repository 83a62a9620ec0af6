/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what is typed, a line at a time, until that is "end". "deaf" in its command line: it sleeps over it first, with the
 * processor in use, so that much is typed before it reads.
 */
#include <string.h>

#include "command_line.h" /* of the ISA */
#include "guest/rt/rt.h"

#define LINE_ROOM 128

static char line[LINE_ROOM];

/* Without its end, which either byte is. */
static void read_line(void)
{
	size_t length = 0;
	int byte;

	while ((byte = rt_getc()) != '\n' && byte != '\r') {
		if (byte == -1)
			continue;
		rt_putc((char)byte);
		if (length < LINE_ROOM - 1)
			line[length++] = (char)byte;
	}
	rt_putc('\n');
	line[length] = '\0';
}

static void be_deaf(void)
{
	for (volatile uint64_t i = 0; i < 100000000; i++)
		;
}

int guest_main(void)
{
	unsigned lines = 0;

	rt_printf("echo: type away\n");
	if (command_line() && strstr(command_line(), "deaf"))
		be_deaf();
	do {
		rt_printf("echo> ");
		rt_flush_line();
		read_line();
		rt_printf("echo: heard \"%s\"\n", line);
		lines++;
	} while (strcmp(line, "end") != 0);
	rt_printf("echo: %u lines\n", lines);
	return 0;
}
