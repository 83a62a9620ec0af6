/* SPDX-License-Identifier: BSD-2-Clause */
/* An identity map of the guest's own, in pages that nobody has touched before: the hart's walk is the first to. */
#ifndef NESTLING_TESTS_GUESTS_RISCV64_PAGING_H
#define NESTLING_TESTS_GUESTS_RISCV64_PAGING_H

#include "tests/guests/riscv64/csr.h"

/* The last page of untouched RAM, taken out of it. */
static inline uint64_t *paging_take_page(void)
{
	const struct rt_range *last = &rt_fresh.range[rt_fresh.count - 1];
	uint64_t page = last->start + last->size - RT_PAGE_SIZE;

	rt_reserve(page, page + RT_PAGE_SIZE);
	return (uint64_t *)page;
}

/* The next table down from `entry`, made if it is not there. */
static inline uint64_t *paging_table(uint64_t *entry)
{
	if (*entry == 0)
		*entry = PTE_OF(paging_take_page()) | PTE_V;
	return (uint64_t *)(*entry >> 10 << 12);
}

/* Map the 2 MiB or, at level 0, 4 KiB page at `address` to itself. */
static inline void paging_map(uint64_t *root, unsigned levels, uint64_t address, unsigned leaf, uint64_t flags)
{
	uint64_t *table = root;

	for (unsigned level = levels - 1; level > leaf; level--)
		table = paging_table(&table[address >> (12 + 9 * level) & 511]);
	table[address >> (12 + 9 * leaf) & 511] = PTE_OF(address) | flags | PTE_V;
}

/* Map all RAM in leaves of 2 MiB, the first 4 MiB of it in pages, and the UART; then turn it on. Returns the root. */
static inline uint64_t *paging_on(unsigned levels)
{
	const uint64_t flags = PTE_RWX | PTE_A | PTE_D;
	uint64_t *root = paging_take_page(), mode = (levels - 3) + 8;

	paging_map(root, levels, 0x10000000, 0, PTE_R | PTE_W | PTE_A | PTE_D);
	for (size_t i = 0; i < rt_ram.count; i++) {
		uint64_t start = rt_ram.range[i].start, end = start + rt_ram.range[i].size;

		for (uint64_t at = start; at < start + 0x400000; at += 0x1000)
			paging_map(root, levels, at, 0, flags);
		for (uint64_t at = start + 0x400000; at < end; at += 0x200000)
			paging_map(root, levels, at, 1, flags);
	}
	sfence_vma();
	CSR_WRITE("satp", mode << 60 | (uintptr_t)root >> 12);
	sfence_vma();
	return CSR_READ("satp") >> 60 == mode ? root : 0;
}

#endif
