/* SPDX-License-Identifier: BSD-2-Clause */
/* Has a handler whose own instruction is an undefined one: exceptions without end, and not one exit. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/trap.h"

extern const char loop_handler[];
uint64_t loop_stack[64] __attribute__((aligned(16)));

/* A CPU that takes exceptions all the time leaves its stack where it was. */
__asm__("	.section .text.loop, \"ax\", %progbits\n"
	"loop_handler:\n"
	"	leaq	loop_stack + 512(%rip), %rsp\n"
	"	ud2\n"
	"	.text\n");

int guest_main(void)
{
	trap_init();
	trap_gate(VECTOR_UD, loop_handler);
	rt_printf("exception_loop: here it comes\n");
	__asm__ volatile("ud2");
	rt_printf("exception_loop: FAILED: it did not come\n");
	return 1;
}
