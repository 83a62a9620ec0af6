/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes exceptions on a stack that was never touched before: the CPU faults while it delivers them. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/trap.h"

/* Run `insn` with the stack at the end of a fresh page. */
#define ON_FRESH_STACK(insn)                                                                          \
	do {                                                                                          \
		uint64_t own;                                                                         \
		__asm__ volatile("movq %%rsp, %0\n\tmovq %1, %%rsp\n\t" insn "\n772:\tmovq %0, %%rsp" \
				 : "=&r"(own)                                                         \
				 : "r"((char *)fresh_page() + RT_PAGE_SIZE)                           \
				 : "memory", "cc");                                                   \
	} while (0)

/* A fault: the handler goes on behind the instruction. */
static void on_fault(void)
{
	trap_count = 0;
	ON_FRESH_STACK("movq $772f, trap_resume(%%rip)\n\tud2");
	CHECK(trap_vector == VECTOR_UD && trap_count == 1);
}

/* Software exceptions, which return behind themselves. */
static void on_software(void)
{
	trap_resume = 0;
	trap_count = 0;
	ON_FRESH_STACK("int3");
	CHECK(trap_vector == VECTOR_BP && trap_count == 1);
	ON_FRESH_STACK("int $9");
	CHECK(trap_vector == 9 && trap_count == 2);
}

/* Single steps: a trap that is lost never comes again. */
static void on_trap(void)
{
	uint64_t own;

	trap_resume = 0;
	trap_count = 0;
	__asm__ volatile("movq %%rsp, %0\n\t"
			 "pushfq\n\t"
			 "orq $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "movq %1, %%rsp\n\t"        /* trap 1, on the fresh stack */
			 "movq %0, %%rsp\n\t"        /* 2 */
			 "pushfq\n\t"                /* 3 */
			 "andq $~0x100, (%%rsp)\n\t" /* 4 */
			 "popfq"                     /* 5 */
			 : "=&r"(own)
			 : "r"((char *)fresh_page() + RT_PAGE_SIZE)
			 : "memory", "cc");
	CHECK(trap_vector == VECTOR_DB);
	CHECK(trap_count == 5);
}

int guest_main(void)
{
	trap_init();
	on_fault();
	on_software();
	on_trap();
	return check_status("event_fresh");
}
