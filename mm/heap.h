/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of newlib's malloc: one fixed block, allocated once. For set-up and reports, never while an exit is served. */
#ifndef NESTLING_MM_HEAP_H
#define NESTLING_MM_HEAP_H

#include "include/err.h"

/* Allocate the heap's frames. malloc returns NULL before this. One CPU calls it, once. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err heap_init(void);

#endif
