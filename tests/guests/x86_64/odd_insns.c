/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes privileged and rare instructions: each does its work or raises an exception, and none disturbs the run. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/trap.h"

#define CR0_TS      (1ul << 3)
#define CR0_NW      (1ul << 29)
#define CR0_CD      (1ul << 30)
#define CR0_PG      (1ul << 31)
#define CR4_PAE     (1ul << 5)
#define CR4_OSXSAVE (1ul << 18)

static void control_registers(void)
{
	uint64_t cr0, cr4, cr8 = 5;

	__asm__ volatile("movq %%cr0, %0\n\tmovq %%cr4, %1" : "=r"(cr0), "=r"(cr4));
	CHECK(TRAP_OF("movq %0, %%cr0", : "r"(cr0 & ~CR0_PG)) == VECTOR_GP); /* in 64-bit mode */
	CHECK(TRAP_OF("movq %0, %%cr0", : "r"(cr0 | CR0_NW)) == VECTOR_GP);  /* without CD */
	CHECK(TRAP_OF("movq %0, %%cr0", : "r"(cr0 | CR0_CD)) == NO_TRAP);
	CHECK(TRAP_OF("movq %0, %%cr0", : "r"(cr0 | CR0_TS)) == NO_TRAP);
	CHECK(TRAP_OF("clts", :) == NO_TRAP);
	CHECK(TRAP_OF("lmsw %w0", : "r"(cr0)) == NO_TRAP);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4 & ~CR4_PAE)) == VECTOR_GP); /* in long mode */
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4 | 1ul << 63)) == VECTOR_GP);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4 | 1ul << 30)) == VECTOR_GP);
	if (!(cpuid(1, 0).ecx & 1u << 26)) /* XSAVE is not offered */
		CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4 | CR4_OSXSAVE)) == VECTOR_GP);
	CHECK(TRAP_OF("movq %0, %%cr8", : "r"(cr8)) == NO_TRAP);
	CHECK(TRAP_OF("movq %%cr8, %0", "=r"(cr8) :) == NO_TRAP && cr8 == 5);
	CHECK(TRAP_OF("movq %0, %%cr8", : "r"(0ul)) == NO_TRAP);
}

/* A breakpoint that the host took for its own would stop it. */
static void debug_registers(void)
{
	uint64_t value = 0;

	CHECK(TRAP_OF("movq %0, %%dr0\n\tmovq %0, %%dr3", : "r"(0x123456ul)) == NO_TRAP);
	CHECK(TRAP_OF("movq %%dr0, %0", "=r"(value) :) == NO_TRAP && value == 0x123456);
	CHECK(TRAP_OF("movq %0, %%dr7", : "r"(0x400ul | 3ul << 16 | 2)) == NO_TRAP);
	rt_memory_info(RT_MEMORY_FAULTS);
	CHECK(TRAP_OF("movq %%dr7, %0", "=r"(value) :) == NO_TRAP && value == (0x400ul | 3ul << 16 | 2));
	CHECK(TRAP_OF("movq %%dr0, %0", "=r"(value) :) == NO_TRAP && value == 0x123456);
	CHECK(TRAP_OF("movq %0, %%dr7", : "r"(0x400ul)) == NO_TRAP);
}

static void single_instructions(void)
{
	uint64_t low, high;

	CHECK(TRAP_OF("wbinvd", :) == NO_TRAP);
	CHECK(TRAP_OF("invd", :) == NO_TRAP);
	CHECK(TRAP_OF("rdtsc", "=a"(low), "=d"(high) :) == NO_TRAP);
	CHECK(TRAP_OF("sti\n\tnop\n\tcli", :) == NO_TRAP);
	CHECK(TRAP_OF("pause", :) == NO_TRAP);
	CHECK(TRAP_OF("invlpg (%0)", : "r"(0)) == NO_TRAP);
	CHECK(TRAP_OF("monitor", : "a"(0), "c"(0), "d"(0)) == VECTOR_UD);
	CHECK(TRAP_OF("mwait", : "a"(0), "c"(0)) == VECTOR_UD);
	CHECK(TRAP_OF("xsetbv", : "a"(1), "c"(0), "d"(0)) == VECTOR_UD);
	CHECK(TRAP_OF("rsm", :) == VECTOR_UD);
	CHECK(TRAP_OF("getsec", : "a"(0)) == VECTOR_UD);
	CHECK(TRAP_OF("rdpmc", "=a"(low), "=d"(high) : "c"(0x40000000)) != VECTOR_UD);
	CHECK(TRAP_OF("lldt %w0", : "r"(0)) == NO_TRAP);
}

int guest_main(void)
{
	trap_init();
	control_registers();
	debug_registers();
	single_instructions();
	return check_status("odd_insns");
}
