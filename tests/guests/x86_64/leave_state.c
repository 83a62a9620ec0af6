/* SPDX-License-Identifier: BSD-2-Clause */
/* Leaves as much in the CPU as a guest can, for the next VM not to find. */
#include "tests/guests/x86_64/fork_state.h"

int guest_main(void)
{
	state_init();
	state_put(77);
	state_check(77);
	__asm__ volatile("movq %0, %%dr6\n\tmovq %1, %%dr7\n\tmovq %2, %%cr8" : : "r"(0xffff0ffful), "r"(0x500ul), "r"(5ul));
	return check_status("leave_state");
}
