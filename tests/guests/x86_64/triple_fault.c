/* SPDX-License-Identifier: BSD-2-Clause */
/* Has an empty interrupt table and an exception: the CPU would reset itself. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr;

	rt_printf("triple_fault: here it comes\n");
	__asm__ volatile("lidt %0\n\tint3" : : "m"(idtr));
	rt_printf("triple_fault: FAILED: it did not come\n");
	return 1;
}
