/* SPDX-License-Identifier: BSD-2-Clause */
/* A second address for memory, under which a hart keeps a second translation: here 64 GiB above the first. */
#ifndef NESTLING_TESTS_GUESTS_RISCV64_ALIAS_H
#define NESTLING_TESTS_GUESTS_RISCV64_ALIAS_H

#include "tests/guests/riscv64/paging.h"

#define ALIAS_OFFSET 0x1000000000ul

/* Once, before any use of `alias`, for the block of 2 MiB at `block`; switches translation on. */
static inline void alias_init(uint64_t block)
{
	uint64_t *root = paging_on(3);

	root[(block + ALIAS_OFFSET) >> 30] = root[block >> 30];
	sfence_vma();
}

static inline volatile uint64_t *alias(volatile uint64_t *address)
{
	return (volatile uint64_t *)((uintptr_t)address + ALIAS_OFFSET);
}

#endif
