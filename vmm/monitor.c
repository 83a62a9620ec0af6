/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor: a line is typed, and carried out. */
#include "vmm/monitor.h"

#include <stdio.h>
#include <string.h>

#include "include/log.h"
#include "vmm/keyboard.h"
#include "vmm/monitor_calls.h"
#include "vmm/sched.h"

enum { CTRL_BRACKET = 0x1d, BACKSPACE = 0x08, DELETE = 0x7f, CTRL_U = 0x15 };

#define LINE_ROOM 80

/* Under the keyboard's lock; while a line is carried out (`busy`), only by who does that. */
static struct {
	bool open;
	bool busy;    /* atomic */
	bool first;   /* nothing has been typed since Ctrl-] */
	bool return_; /* the last line was ended by a carriage return: a line feed behind it is part of that end */
	unsigned length;
	char line[LINE_ROOM];
} monitor;

/* The line that is typed. It is shown at once, and anew when somebody else's has come between. */
static struct console_stream shown = { .name = "monitor", .by_line = true };

static void show(const char *text)
{
	console_stream_write(&shown, text, strlen(text));
	console_stream_flush(&shown);
}

static void prompt(void)
{
	monitor.length = 0;
	show("> ");
}

static void close_monitor(const char *why)
{
	show(why);
	monitor.open = false;
}

/* Carry out the line, or a piece of that. Without a lock. */
static void carry_out(void)
{
	switch (monitor_call(monitor.line)) {
	case MONITOR_AGAIN:
		sched_call(carry_out);
		return;
	case MONITOR_DONE:
		prompt();
		break;
	case MONITOR_CLOSE:
		monitor.open = false;
		break;
	}
	__atomic_store_n(&monitor.busy, false, __ATOMIC_RELEASE);
}

static void end_line(void)
{
	monitor.line[monitor.length] = '\0';
	if (monitor.line[strspn(monitor.line, " ")] == '\0') {
		close_monitor("(closed)\n");
		return;
	}
	show("\n");
	monitor.first = false;
	__atomic_store_n(&monitor.busy, true, __ATOMIC_RELAXED);
	sched_call(carry_out);
}

static void erase(unsigned count)
{
	for (; count > 0 && monitor.length > 0; count--, monitor.length--)
		show("\b \b");
}

static void add(uint8_t byte)
{
	const char text[2] = { (char)byte, '\0' };

	if (byte < ' ' || byte > '~' || monitor.length == LINE_ROOM - 1)
		return;
	monitor.line[monitor.length++] = (char)byte;
	show(text);
}

static void edit(uint8_t byte)
{
	bool line_feed_of_return = byte == '\n' && monitor.return_;

	monitor.return_ = byte == '\r';
	if (line_feed_of_return)
		return;
	if (byte == '\r' || byte == '\n')
		end_line();
	else if (byte == BACKSPACE || byte == DELETE)
		erase(1);
	else if (byte == CTRL_U || byte == CTRL_BRACKET)
		erase(LINE_ROOM);
	else
		add(byte);
}

/* The keyboard's filter. */
static enum keyboard_filtered take(uint8_t byte)
{
	if (__atomic_load_n(&monitor.busy, __ATOMIC_ACQUIRE))
		return KEYBOARD_LATER;
	if (!monitor.open && byte != CTRL_BRACKET)
		return KEYBOARD_PASSED;
	if (!monitor.open) {
		monitor.open = monitor.first = true;
		monitor.return_ = false;
		prompt();
		return KEYBOARD_TAKEN;
	}
	if (byte == CTRL_BRACKET && monitor.first && monitor.length == 0) {
		close_monitor("(typed)\n");
		return KEYBOARD_PASSED;
	}
	edit(byte);
	return KEYBOARD_TAKEN;
}

void monitor_start(void)
{
	keyboard_open(take);
}
