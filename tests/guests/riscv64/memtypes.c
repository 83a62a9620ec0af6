/* SPDX-License-Identifier: BSD-2-Clause */
/* Uses memory past the caches, where the device tree offers Svpbmt: it must show what the hypervisor has written through them. */
#include "tests/guests/riscv64/paging.h"
#include "tests/guests/riscv64/trap.h"

#define WINDOW 0x1000000000 /* an address that is mapped to nothing else: 64 GiB, an entry of the root's own */
#define PTE_NC (1ul << 61)

static uint64_t load(volatile uint64_t *address, uint64_t *value)
{
	*value = ~0ul;
	return TRAP_OF("ld %[value], (%[at])", [value] "+&r"(*value) : [at] "r"(address));
}

/* In the ISA string, or anywhere else in the device tree. */
static bool is_offered(void)
{
	const unsigned char *tree = (const unsigned char *)rt_ram.range[0].start;
	size_t size = (size_t)tree[4] << 24 | tree[5] << 16 | tree[6] << 8 | tree[7];

	for (size_t i = 0; i + 6 <= size; i++)
		if (memcmp(tree + i, "svpbmt", 6) == 0)
			return true;
	return false;
}

/* A page that was never touched. */
static void read_uncached(volatile uint64_t *page)
{
	for (size_t i = 0; i < RT_PAGE_SIZE / sizeof(*page); i++) {
		uint64_t value;

		CHECK(load(page + i, &value) == NO_TRAP && value == 0);
	}
}

int guest_main(void)
{
	volatile uint64_t *uncached = (volatile uint64_t *)WINDOW;
	uint64_t *root = paging_on(3), page = (uintptr_t)paging_take_page();
	uint64_t *entry;

	if (!is_offered()) {
		rt_printf("memtypes: none offered\n");
		return 0;
	}
	trap_init();
	CHECK(root != 0);
	entry = paging_table(paging_table(&root[WINDOW >> 30]));
	*entry = PTE_OF(page) | PTE_NC | PTE_V | PTE_R | PTE_W | PTE_A | PTE_D;
	sfence_vma();
	read_uncached(uncached);
	uncached[1] = 0x1234567890;
	/* The hypervisor must find in the caches what went past them, and the other way round. */
	__builtin_memcpy((char *)WINDOW + 64, "memtypes: written past the caches\n", 34);
	CHECK(rt_hypercall(RT_CALL_CONSOLE_WRITE, page + 64, 34, 0, 0) == 34);
	CHECK(uncached[1] == 0x1234567890);
	return check_status("memtypes");
}
