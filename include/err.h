/* SPDX-License-Identifier: BSD-2-Clause */
/* The error codes every fallible function returns. */
#ifndef NESTLING_ERR_H
#define NESTLING_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
	ERR_OK = 0,
	ERR_NO_MEMORY,   /* no free frame or heap space; nothing was changed */
	ERR_INVALID,     /* an argument is malformed: alignment, zero size, wrap-around, syntax */
	ERR_RANGE,       /* outside what the space, the machine or the format can hold */
	ERR_EXISTS,      /* something is there already */
	ERR_NOT_FOUND,   /* nothing is there */
	ERR_DENIED,      /* permission does not allow it */
	ERR_UNSUPPORTED, /* this format or this CPU cannot express or do it */
	ERR_CORRUPT,     /* a table, file or firmware structure contradicts itself */
	ERR_IO,          /* the firmware or a device failed */
};

/* A short English text for an error, for use inside a longer line. */
static inline const char *err_name(enum err err)
{
	static const char *const names[] = {
		[ERR_OK] = "no error",           [ERR_NO_MEMORY] = "out of memory",   [ERR_INVALID] = "malformed",
		[ERR_RANGE] = "out of range",    [ERR_EXISTS] = "already there",      [ERR_NOT_FOUND] = "not found",
		[ERR_DENIED] = "not permitted",  [ERR_UNSUPPORTED] = "not supported", [ERR_CORRUPT] = "inconsistent",
		[ERR_IO] = "input/output error",
	};

	return names[err];
}

#endif
