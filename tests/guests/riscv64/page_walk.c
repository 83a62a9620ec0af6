/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the hart walk page tables in memory that was never touched before. */
#include "tests/guests/riscv64/paging.h"
#include "tests/guests/riscv64/trap.h"

#define WINDOW 0x1000000000 /* an address that is mapped to nothing else: 64 GiB, an entry of the root's own */

static uint64_t load(volatile uint64_t *address, uint64_t *value)
{
	*value = 0;
	return TRAP_OF("ld %[value], (%[at])", [value] "+&r"(*value) : [at] "r"(address));
}

static uint64_t store_zero(uint64_t address)
{
	return TRAP_OF("sd zero, (%[at])", [at] "+r"(address) :);
}

static uint64_t jump_to(uint64_t address)
{
	return TRAP_OF("jr %[at]", [at] "+r"(address) :);
}

int guest_main(void)
{
	volatile uint64_t *address = (volatile uint64_t *)WINDOW;
	uint64_t *root = paging_on(3), *entry, *page = 0, value;

	trap_init();
	CHECK(root != 0);
	/* Two levels of tables and the page itself: each is fresh when the walk or the load first gets there. */
	entry = &root[WINDOW >> 30];
	for (unsigned level = 3; level-- > 0;) {
		uint64_t faults = rt_memory_info(RT_MEMORY_FAULTS);

		CHECK(load(address, &value) == CAUSE_LOAD_PAGE && trap.value == WINDOW);
		page = paging_take_page();
		*entry = PTE_OF(page) | PTE_V | (level == 0 ? PTE_R | PTE_W | PTE_X | PTE_A | PTE_D : 0);
		sfence_vma();
		CHECK(load(address, &value) == (level > 0 ? CAUSE_LOAD_PAGE : NO_TRAP));
		CHECK(value == 0);
		faults = rt_memory_info(RT_MEMORY_FAULTS) - faults;
		/* The page that is read; and the table above, which was read as zeros so far, and is written for this. */
		CHECK(faults == (level == 2 ? 1 : 2));
		entry = page;
	}
	*address = 0x1234567890;
	sfence_vma();
	CHECK(*(volatile uint64_t *)page == 0x1234567890);
	CHECK(*address == 0x1234567890);

	/* The same for a fetch, through two fresh tables at once, to a fresh page: zeroes are no instruction. */
	root[(WINDOW >> 30) + 1] = PTE_OF(paging_take_page()) | PTE_V;
	sfence_vma();
	CHECK(jump_to(WINDOW + (1 << 30)) == CAUSE_FETCH_PAGE);

	/* And for the hart's own update of A and D, where it makes one. */
	page = paging_take_page();
	((uint64_t *)(root[WINDOW >> 30] >> 10 << 12))[1] = PTE_OF(page) | PTE_V;
	page[0] = PTE_OF(paging_take_page()) | PTE_V | PTE_R | PTE_W;
	sfence_vma();
	switch (store_zero(WINDOW + (2 << 20))) {
	case NO_TRAP:
		CHECK((page[0] & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
		rt_printf("page_walk: the hart sets A and D\n");
		break;
	case CAUSE_STORE_PAGE:
		CHECK((page[0] & (PTE_A | PTE_D)) == 0);
		rt_printf("page_walk: the hart leaves A and D to us\n");
		break;
	default:
		CHECK(!"another trap");
	}
	return check_status("page_walk");
}
