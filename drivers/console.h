/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's console: where log lines and guests' output go. Any CPU writes; what it writes is not torn by another's. */
#ifndef NESTLING_DRIVERS_CONSOLE_H
#define NESTLING_DRIVERS_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes bytes as they are; '\n' stands for a new line and is translated by the sink if its device wants "\r\n". */
typedef void (*console_sink)(const char *bytes, size_t size);

/* Send what is written from now on to `sink`; NULL drops it. At first there is none. */
void console_set_sink(console_sink sink);

/*
 * Write a line, or several, with the '\n' at the end of each. A fresh line is begun if one is unfinished. No allocation, no
 * formatting: allowed on the exit path, as all writing is.
 */
void console_write_line(const char *bytes, size_t size);

/* Of a name and its NUL; and of a line that is kept. */
#define CONSOLE_NAME_ROOM 48
#define CONSOLE_LINE_ROOM 200
/* Of what is remembered of a stream: a power of two. */
#define CONSOLE_LAST_ROOM 1024

/*
 * Text that comes in pieces, as a guest prints. All zero: it has no name, and each piece is written at once. With `by_line` a line
 * is kept until it is complete or longer than there is room; console_stream_flush writes what there is of it. An unfinished line on
 * the console is ended when anything else is to be written; the stream's next piece then begins a line of its own, with all that
 * was kept of the line before it: so each line is there once as a whole.
 */
struct console_stream {
	char name[CONSOLE_NAME_ROOM]; /* begins each line, with ": " behind it; empty: nothing does. Only with `by_line` */
	bool by_line;                 /* changed by console_stream_fork, once there may be output */
	bool ends_line;               /* what comes next goes on with a line that is on the console already, and was ended there */
	unsigned kept;                /* bytes in `line`; atomic */
	unsigned shown;               /* of these, how many have been written; atomic */
	char line[CONSOLE_LINE_ROOM];
	char last[CONSOLE_LAST_ROOM]; /* what came last: a ring */
	size_t came;                  /* bytes that ever came */
	/* Told of what is written, by who writes it, with no lock of the console's; NULL: nobody is. */
	void (*printed)(struct console_stream *stream, const char *bytes, size_t size);
};

void console_stream_write(struct console_stream *stream, const char *bytes, size_t size);

/* Copy what came last to `to`, which has CONSOLE_LAST_ROOM bytes: whole lines, and perhaps one that is not finished. Returns how
 * much.
 */
size_t console_stream_last(const struct console_stream *stream, char *to);

/*
 * `child`, which nothing has been written to, has printed what `parent` has, and goes on by lines; so does the parent. Where the
 * parent is in a line, what ends that ends no empty one of theirs. Nobody writes to either of them meanwhile.
 */
void console_stream_fork(struct console_stream *child, struct console_stream *parent);

/* Write what is kept and has not been written: the rest of the line will not come soon. */
void console_stream_flush(struct console_stream *stream);

/* Write what is kept: no more comes, and the structure may go. */
void console_stream_end(struct console_stream *stream);

/*
 * Write a record for programs into the stream of text, between the bytes 0x1e and '\n'. It may interrupt a line of text, which goes
 * on behind it. From the first record on, a byte 0x1e in text is written as '?'.
 */
void console_record(const char *bytes, size_t size);

/* Is the console at the start of a line? Another CPU may write at any time. */
bool console_at_line_start(void);

/* For panic, when the other CPUs have been told to stop: one that holds the console's lock is waited for only so long. */
void console_take_over(void);

#endif
