/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells that it has panicked, as a kernel with the driver does, after other things that are not that. */
#include "isa.h"
#include "tests/guests/check.h"

int guest_main(void)
{
	CHECK(panic_read() == 1);
	panic_write(0);
	panic_write(0xfe);
	CHECK(panic_read() == 1);
	for (unsigned i = 0; i < 20; i++)
		rt_printf("panic_told: line %u\n", i);
	rt_printf("panic_told: here it \x1b comes\n");
	rt_flush_line();
	if (check_failures == 0)
		panic_write(1);
	rt_printf("panic_told: FAILED: it goes on\n");
	return 1;
}
