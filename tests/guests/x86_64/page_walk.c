/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the CPU walk page tables in memory that was never touched before. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/trap.h"

static int read_at(volatile uint64_t *address, uint64_t *value)
{
	*value = 0;
	return TRAP_OF("movq %1, %0", "+r"(*value) : "m"(*address));
}

int guest_main(void)
{
	uint64_t *pml4 = fresh_page(), *tables[4], *entry, value;
	volatile uint64_t *address = (volatile uint64_t *)WINDOW;

	trap_init();
	memcpy(pml4, (void *)(read_cr3() & PTE_ADDR), RT_PAGE_SIZE);
	write_cr3((uintptr_t)pml4);

	/* Three levels and the page itself: each is fresh when the walk first gets there. */
	entry = &pml4[WINDOW_SLOT];
	for (unsigned level = 0; level < 4; level++) {
		uint64_t faults = rt_memory_info(RT_MEMORY_FAULTS);

		CHECK(read_at(address, &value) == VECTOR_PF && (trap_error & 1) == 0);
		tables[level] = fresh_page();
		*entry = (uintptr_t)tables[level] | PTE_P | PTE_W;
		CHECK(read_at(address, &value) == (level < 3 ? VECTOR_PF : NO_TRAP));
		CHECK(value == 0);
		rt_printf("page_walk: level %u: %lu faults\n", level, rt_memory_info(RT_MEMORY_FAULTS) - faults);
		entry = tables[level];
	}
	/* The last walk went all the way, and left its marks. */
	CHECK(pml4[WINDOW_SLOT] & tables[0][0] & tables[1][0] & PTE_A);
	CHECK((tables[2][0] & (PTE_A | PTE_D)) == PTE_A);
	*address = 0x1234567890;
	CHECK((tables[2][0] & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
	CHECK(*(volatile uint64_t *)tables[3] == 0x1234567890);
	return check_status("page_walk");
}
