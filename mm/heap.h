/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory behind newlib's malloc: one fixed piece, got once. For set-up and reports, never for an exit. */
#ifndef NESTLING_MM_HEAP_H
#define NESTLING_MM_HEAP_H

#include "include/err.h"

/* Get the heap's frames. malloc fails (NULL) before this. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err heap_init(void);

#endif
