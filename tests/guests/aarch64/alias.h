/* SPDX-License-Identifier: BSD-2-Clause */
/* A second address for memory, under which a CPU keeps a second translation: here 64 GiB above the first. */
#ifndef NESTLING_TESTS_GUESTS_AARCH64_ALIAS_H
#define NESTLING_TESTS_GUESTS_AARCH64_ALIAS_H

#include "tests/guests/aarch64/paging.h"

#define ALIAS_OFFSET 0x1000000000ul

/* Once, before any use of `alias`, for the block of 2 MiB at `block`; switches the MMU and the caches on. */
static inline void alias_init(uint64_t block)
{
	uint64_t *root = paging_on(0);

	root[(block + ALIAS_OFFSET) >> 30] = root[block >> 30];
	flush_tlb();
}

static inline volatile uint64_t *alias(volatile uint64_t *address)
{
	return (volatile uint64_t *)((uintptr_t)address + ALIAS_OFFSET);
}

#endif
