/* SPDX-License-Identifier: BSD-2-Clause */
/* The lazy guest, with page tables of its own. */
#include "tests/guests/riscv64/paging.h"

int lazy_main(void);

#define guest_main lazy_main
#include "guest/lazy.c"
#undef guest_main

int guest_main(void)
{
	if (!paging_on(3))
		return 1;
	rt_printf("lazy_sv39: satp 0x%lx\n", CSR_READ("satp"));
	return lazy_main();
}
