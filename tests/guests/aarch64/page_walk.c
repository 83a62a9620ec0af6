/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the CPU walk translation tables in memory that was never touched before. */
#include "tests/guests/aarch64/paging.h"
#include "tests/guests/aarch64/vectors.h"

#define WINDOW  0x1000000000ul /* 64 GiB: nothing is mapped there, nor by that entry of the root */
#define FETCHED (WINDOW + 0x40000000)

static uint64_t load(uint64_t address, uint64_t *value)
{
	*value = 0;
	return TRAP_OF("ldr %[value], [%[at]]", [value] "+&r"(*value) : [at] "r"(address));
}

static uint64_t store_one(uint64_t address)
{
	return TRAP_OF("str %[one], [%[at]]", [one] "+r"((uint64_t){ 1 }) : [at] "r"(address));
}

static uint64_t jump_to(uint64_t address)
{
	return TRAP_OF("br %[at]", [at] "+r"(address) :);
}

/* Each table, and the page itself, is fresh when the walk or the load first gets there. The manual counts levels down. */
static uint64_t *levels_by_load(uint64_t *root, uint64_t *pages[3])
{
	uint64_t *entry = &root[WINDOW >> 30], *page = NULL, value;

	for (unsigned level = 1; level <= 3; level++) {
		uint64_t faults = rt_memory_info(RT_MEMORY_FAULTS), esr = load(WINDOW + 8, &value);

		CHECK(ESR_EC(esr) == EC_DABT && ESR_FSC(esr) == FSC_TRANSLATION(level) && trap.far == WINDOW + 8);
		page = paging_take_page();
		*entry = (uintptr_t)page | PTE_TABLE | PTE_VALID | (level == 3 ? PTE_RWX : 0);
		flush_tlb();
		esr = load(WINDOW + 8, &value);
		CHECK(level == 3 ? esr == NO_TRAP : ESR_FSC(esr) == FSC_TRANSLATION(level + 1));
		CHECK(value == 0);
		faults = rt_memory_info(RT_MEMORY_FAULTS) - faults;
		/* The page that is read; and the table above, which was read as zeros so far, and is written for this. */
		CHECK(faults == (level == 1 ? 1 : 2));
		entry = pages[level - 1] = page;
	}
	return page;
}

/* Through two fresh tables to a fresh page: zeroes are no instruction. */
static void levels_by_fetch(uint64_t *root)
{
	uint64_t *tables[2] = { paging_take_page(), paging_take_page() }, faults, esr;

	root[FETCHED >> 30] = (uintptr_t)tables[0] | PTE_TABLE | PTE_VALID;
	flush_tlb();
	esr = jump_to(FETCHED);
	CHECK(ESR_EC(esr) == EC_IABT && ESR_FSC(esr) == FSC_TRANSLATION(2));
	tables[0][0] = (uintptr_t)tables[1] | PTE_TABLE | PTE_VALID;
	flush_tlb();
	faults = rt_memory_info(RT_MEMORY_FAULTS);
	esr = jump_to(FETCHED);
	CHECK(ESR_EC(esr) == EC_IABT && ESR_FSC(esr) == FSC_TRANSLATION(3));
	CHECK(rt_memory_info(RT_MEMORY_FAULTS) - faults == 1);
	tables[1][0] = (uintptr_t)paging_take_page() | PTE_TABLE | PTE_RWX;
	flush_tlb();
	faults = rt_memory_info(RT_MEMORY_FAULTS);
	esr = jump_to(FETCHED);
	CHECK(ESR_EC(esr) == EC_UNDEFINED && esr != NO_TRAP && trap.pc == FETCHED);
	CHECK(rt_memory_info(RT_MEMORY_FAULTS) - faults == 1);
}

/* The CPU's own update of the access and dirty state, where it makes one, in a table and to a page just faulted in. */
static void hardware_update(uint64_t *level2)
{
	unsigned hafdbs = MRS("id_aa64mmfr1_el1") & 0xf;
	uint64_t *table = paging_take_page(), esr;

	rt_printf("page_walk: HAFDBS is %u\n", hafdbs);
	level2[1] = (uintptr_t)table | PTE_TABLE | PTE_VALID;
	table[0] = (uintptr_t)paging_take_page() | PTE_TABLE | (PTE_RWX & ~PTE_AF) | PTE_RO | PTE_DBM;
	flush_tlb();
	esr = store_one(WINDOW + 0x200000);
	if (hafdbs >= 2) {
		CHECK(esr == NO_TRAP);
		CHECK((table[0] & (PTE_AF | PTE_RO)) == PTE_AF);
	} else {
		CHECK(ESR_EC(esr) == EC_DABT && ESR_FSC(esr) == (hafdbs ? FSC_PERMISSION(3) : FSC_ACCESS_FLAG(3)));
	}
}

int guest_main(void)
{
	unsigned hafdbs = MRS("id_aa64mmfr1_el1") & 0xf;
	uint64_t *pages[3], *root;

	trap_init();
	root = paging_on((hafdbs >= 1 ? TCR_HA : 0) | (hafdbs >= 2 ? TCR_HD : 0));
	levels_by_load(root, pages);
	*(volatile uint64_t *)WINDOW = 0x1234567890;
	CHECK(*(volatile uint64_t *)pages[2] == 0x1234567890);
	levels_by_fetch(root);
	hardware_update(pages[0]);
	return check_status("page_walk");
}
