/* SPDX-License-Identifier: BSD-2-Clause */
/* Has its interrupt table behind the end of its RAM, so that the fault comes while the CPU delivers an exception. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"

int guest_main(void)
{
	struct {
		uint16_t limit;
		void *base;
	} __attribute__((packed)) idtr = { 0xfff, window(ram_end()) };

	rt_printf("wild_idt: table at 0x%lx\n", ram_end());
	__asm__ volatile("lidt %0\n\tud2" : : "m"(idtr));
	rt_printf("wild_idt: FAILED: it went on\n");
	return 1;
}
