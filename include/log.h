/* SPDX-License-Identifier: BSD-2-Clause */
/* Console log: one line an event, each prefixed by its subsystem ("npt: ..."). */
#ifndef NESTLING_LOG_H
#define NESTLING_LOG_H

#include <stdarg.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DBG };

/* The level compiled in; lines above it are type-checked and then dropped. */
#ifndef LOG_LEVEL
#define LOG_LEVEL LOG_INFO
#endif

/*
 * Print one line; the newline is added. Lines longer than LOG_LINE_MAX - 1 bytes are cut and end in "...".
 * Uses vsnprintf: never called on the path of an exit that the guest is resumed from, except under --trace and for the
 * first few of a guest's oddities. All our ISAs and the host are LP64: print a uint64_t with %lu or %#lx.
 */
#define LOG_LINE_MAX 512
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* A line about a VM: "vm: ...", or of several "vm NAME: ...". */
void log_vm_line(enum log_level level, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Why the program cannot start or go on: one line, "nestling: fatal: ...". The caller then ends the run. */
void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define log_at(level, ...)                            \
	do {                                          \
		if ((level) <= LOG_LEVEL)             \
			log_line(level, __VA_ARGS__); \
	} while (0)

#define log_vm_at(level, name, ...)                            \
	do {                                                   \
		if ((level) <= LOG_LEVEL)                      \
			log_vm_line(level, name, __VA_ARGS__); \
	} while (0)

#define log_err(...)  log_at(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_dbg(...)  log_at(LOG_DBG, __VA_ARGS__)

#endif
