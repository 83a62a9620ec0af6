/* SPDX-License-Identifier: BSD-2-Clause */
/* Uses string I/O, which is not emulated: the run must end there, and say why. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	const char *text = "never seen";
	uint64_t count = 10;

	rt_printf("string_io: here it comes\n");
	__asm__ volatile("rep outsb" : "+S"(text), "+c"(count) : "d"(0x3f8) : "memory");
	rt_printf("string_io: FAILED: it went on\n");
	return 1;
}
