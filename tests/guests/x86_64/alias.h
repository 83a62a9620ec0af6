/* SPDX-License-Identifier: BSD-2-Clause */
/* A second address for memory, under which a CPU keeps a second translation: here beside the identity map. */
#ifndef NESTLING_TESTS_GUESTS_X86_64_ALIAS_H
#define NESTLING_TESTS_GUESTS_X86_64_ALIAS_H

#include "tests/guests/x86_64/cpu.h"

/* Once, before any use of `alias`, for the block of 2 MiB at `block`. */
static inline void alias_init(uint64_t block)
{
	window(block);
}

static inline volatile uint64_t *alias(volatile uint64_t *address)
{
	return (volatile uint64_t *)(WINDOW + ((uintptr_t)address & 0x1fffff));
}

#endif
