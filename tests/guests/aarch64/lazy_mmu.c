/* SPDX-License-Identifier: BSD-2-Clause */
/* The lazy guest, with translation tables of its own and the caches on. */
#include "tests/guests/aarch64/paging.h"

int lazy_main(void);

#define guest_main lazy_main
#include "guest/lazy.c"
#undef guest_main

int guest_main(void)
{
	paging_on(0);
	rt_printf("lazy_mmu: SCTLR_EL1 0x%lx\n", MRS("sctlr_el1"));
	return lazy_main();
}
