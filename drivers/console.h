/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's console: where log lines and the guest's output go. One writer at a time. */
#ifndef NESTLING_DRIVERS_CONSOLE_H
#define NESTLING_DRIVERS_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes bytes as they are; '\n' stands for a new line and is translated by the sink if its device wants "\r\n". */
typedef void (*console_sink)(const char *bytes, size_t size);

/* Send what is written from now on to `sink`; NULL drops it. At first there is none. */
void console_set_sink(console_sink sink);

/* Write bytes. No allocation, no formatting: allowed on the exit path. */
void console_write(const char *bytes, size_t size);

/*
 * Write a record for programs into the stream of text, between the bytes 0x1e and '\n'. It may interrupt a line of text, which goes
 * on behind it. From the first record on, a byte 0x1e in text is written as '?'.
 */
void console_record(const char *bytes, size_t size);

/* Is the console at the start of a line? A log line starts a fresh one if the guest left one unfinished. */
bool console_at_line_start(void);

#endif
