/* SPDX-License-Identifier: BSD-2-Clause */
/* How many bytes CBO.ZERO clears: seen from what it has done to a page, not believed. */
#ifndef NESTLING_ARCH_RISCV64_ZERO_BLOCK_H
#define NESTLING_ARCH_RISCV64_ZERO_BLOCK_H

#include "include/types.h"

#define ZERO_BLOCK_MAX UINT64_C(512)

/*
 * The size of the block that has been cleared at the start of a page that was all ones. 0: none was, or something that
 * is no block of at most ZERO_BLOCK_MAX bytes. CMO extensions, "Cache-Block Zero": a naturally aligned power of two.
 */
static inline uint64_t zero_block_of(const uint64_t *page)
{
	uint64_t words = 0;

	while (words < PAGE_SIZE / sizeof(*page) && page[words] == 0)
		words++;
	for (uint64_t i = words; i < PAGE_SIZE / sizeof(*page); i++)
		if (page[i] != ~UINT64_C(0))
			return 0;
	return (words & (words - 1)) == 0 && words * sizeof(*page) <= ZERO_BLOCK_MAX ? words * sizeof(*page) : 0;
}

#endif
