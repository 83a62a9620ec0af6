/* SPDX-License-Identifier: BSD-2-Clause */
/* An identity map of the guest's own, in pages that nobody has touched before. */
#ifndef NESTLING_TESTS_GUESTS_AARCH64_PAGING_H
#define NESTLING_TESTS_GUESTS_AARCH64_PAGING_H

#include "tests/guests/aarch64/el1.h"

#define PAGING_UART 0x09000000ul

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
		*entry = (uintptr_t)paging_take_page() | PTE_TABLE | PTE_VALID;
	return (uint64_t *)(*entry & PTE_ADDR);
}

/* Map the 2 MiB block or, at level 0, the 4 KiB page at `address` to itself. */
static inline void paging_map(uint64_t *root, uint64_t address, unsigned leaf, uint64_t flags)
{
	uint64_t *table = root;

	for (unsigned level = 2; level > leaf; level--)
		table = paging_table(&table[address >> (12 + 9 * level) & 511]);
	table[address >> (12 + 9 * leaf) & 511] = address | flags | (leaf == 0 ? PTE_TABLE : 0);
}

/*
 * Map RAM in blocks of 2 MiB, the first 4 MiB of it in pages, and the UART; then turn the MMU and the caches on. Returns the
 * root. `tcr` is added to TCR_EL1.
 */
static inline uint64_t *paging_on(uint64_t tcr)
{
	uint64_t *root = paging_take_page();

	paging_map(root, PAGING_UART, 0, PTE_VALID | PTE_AF | PTE_DEVICE | PTE_XN);
	for (size_t i = 0; i < rt_ram.count; i++) {
		uint64_t start = rt_ram.range[i].start, end = start + rt_ram.range[i].size;

		for (uint64_t at = start; at < start + 0x400000 && at < end; at += 0x1000)
			paging_map(root, at, 0, PTE_RWX);
		for (uint64_t at = start + 0x400000; at < end; at += 0x200000)
			paging_map(root, at, 1, PTE_RWX);
	}
	MSR("mair_el1", MAIR);
	MSR("tcr_el1", TCR_BASE | tcr);
	MSR("ttbr0_el1", (uintptr_t)root);
	isb();
	flush_tlb();
	__asm__ volatile("ic iallu\n\tdsb ish\n\tisb" : : : "memory");
	MSR("sctlr_el1", MRS("sctlr_el1") | SCTLR_M | SCTLR_C | SCTLR_I);
	isb();
	return root;
}

#endif
