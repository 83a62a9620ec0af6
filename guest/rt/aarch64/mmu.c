/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The identity map of a program that has several vCPUs: 48 bits of addresses, by leaves of 1 GiB. The first one is devices, all
 * others are RAM or nothing. It may be executed, so that an exception without vectors, which goes there, ends the run instead of
 * raising the next one. Source: Arm ARM (DDI 0487), "VMSAv8-64 translation table format descriptors".
 */
#include "guest/rt/aarch64/cpu.h"
#include "guest/rt/smp.h"

#define ENTRIES    512
#define LEAF       (1ul << 30)
#define TABLE_SPAN (ENTRIES * LEAF) /* of a table of leaves */

#define PTE_VALID  1ul
#define PTE_TABLE  2ul        /* it leads to a table */
#define PTE_DEVICE (1ul << 2) /* the second attribute of MAIR */
#define PTE_INNER  (3ul << 8) /* shareable */
#define PTE_AF     (1ul << 10)

#define MAIR       0x00ff /* normal memory, write-back; then device memory, nGnRnE */
/* T0SZ 16; walks are cached, write-back, inner shareable; no TTBR1_EL1. IPS is added. */
#define TCR        (16ul | 1ul << 8 | 1ul << 10 | 3ul << 12 | 1ul << 23)
#define TCR_IPS_AT 32
#define SCTLR_ON   (1ul | 1ul << 2 | 1ul << 12) /* M, C, I */
#define PARANGE_48 5

static uint64_t root[ENTRIES] __attribute__((aligned(RT_PAGE_SIZE)));
static uint64_t first[ENTRIES] __attribute__((aligned(RT_PAGE_SIZE)));

/* For rt_mmu_on (cpu_entry.S), which reads it with the MMU off. */
struct {
	uint64_t mair, tcr, ttbr0, sctlr;
} rt_mmu;

void rt_mmu_on(void);

void rt_clean(const void *from, size_t size)
{
	/* Lines are no shorter than 16 bytes. */
	for (uintptr_t at = (uintptr_t)from & ~15ul; at < (uintptr_t)from + size; at += 16)
		__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb sy" : : : "memory");
}

/* The table of leaves around `address`; RAM beyond the first half TiB takes a page of itself for one. */
static uint64_t *leaves_of(uint64_t address)
{
	uint64_t *entry = &root[address / TABLE_SPAN], *table = first;
	const struct rt_range *last = &rt_fresh.range[rt_fresh.count - 1];
	uint64_t page = last->start + last->size - RT_PAGE_SIZE;

	if (*entry)
		return (uint64_t *)(*entry & ~(uint64_t)(RT_PAGE_SIZE - 1));
	if (address >= TABLE_SPAN) {
		rt_reserve(page, page + RT_PAGE_SIZE);
		table = (uint64_t *)page;
	}
	*entry = (uintptr_t)table | PTE_TABLE | PTE_VALID;
	return table;
}

static void map(uint64_t address, uint64_t flags)
{
	leaves_of(address)[address / LEAF % ENTRIES] = address | flags | PTE_AF | PTE_VALID;
}

void rt_mmu_begin(void)
{
	uint64_t features, sctlr, range;

	map(0, PTE_DEVICE);
	for (size_t i = 0; i < rt_ram.count; i++)
		for (uint64_t at = rt_ram.range[i].start & ~(LEAF - 1); at < rt_ram.range[i].start + rt_ram.range[i].size;
		     at += LEAF)
			map(at, PTE_INNER);
	__asm__ volatile("mrs %0, id_aa64mmfr0_el1" : "=r"(features));
	__asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
	range = features & 15;
	rt_mmu.mair = MAIR;
	rt_mmu.tcr = TCR | (range < PARANGE_48 ? range : PARANGE_48) << TCR_IPS_AT;
	rt_mmu.ttbr0 = (uintptr_t)root;
	rt_mmu.sctlr = sctlr | SCTLR_ON;
	/* The hypervisor may have read what we have written since, and so have it in a cache as it was: the lines, for example. */
	rt_clean(rt_image_start, (size_t)((char *)rt_stacks - rt_image_start));
	rt_clean(rt_stacks + RT_CPUS - 1, (size_t)(rt_image_end - (char *)(rt_stacks + RT_CPUS - 1)));
	rt_mmu_on();
}
