/* SPDX-License-Identifier: BSD-2-Clause */
/* Unpacks what zstd has packed. */
#ifndef NESTLING_VMM_X86_64_UNZSTD_H
#define NESTLING_VMM_X86_64_UNZSTD_H

#include "include/err.h"
#include "include/types.h"

/* The `size` bytes at `bytes` begin as such a file does. */
bool unzstd_is(const void *bytes, size_t size);

/* Memory that unzstd needs while it works, in bytes. */
size_t unzstd_work_size(void);

/*
 * Unpack `size` bytes, which may be anything, to at most `room` bytes at `to`; `work` is memory of unzstd_work_size() bytes,
 * aligned at 8. How many they are goes to `*unpacked`. Errors: ERR_CORRUPT, ERR_UNSUPPORTED (of a kind that needs more than the
 * file).
 */
MUST_CHECK enum err unzstd(const void *bytes, size_t size, void *to, size_t room, void *work, size_t *unpacked);

#endif
