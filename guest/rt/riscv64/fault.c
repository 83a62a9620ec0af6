/* SPDX-License-Identifier: BSD-2-Clause */
/* What a RISC-V guest is told of its faults: RISC-V Privileged, "Supervisor Cause Register". */
#include "guest/rt/fault.h"

enum { CAUSE_FETCH_ACCESS = 1, CAUSE_LOAD_ACCESS = 5, CAUSE_STORE_ACCESS = 7 };

/* trap.S writes it, by vCPU. */
extern const volatile struct {
	uint64_t cause, value, recovery, unused;
} rt_traps[];
extern char rt_trap_vector[];

void rt_fault_init(void)
{
	__asm__ volatile("csrw stvec, %0" : : "r"(rt_trap_vector) : "memory");
}

struct rt_fault rt_fault_last(void)
{
	uint64_t value = rt_traps[rt_cpu_id()].value;

	switch (rt_traps[rt_cpu_id()].cause) {
	case CAUSE_FETCH_ACCESS:
		return (struct rt_fault){ RT_EXECUTE, value, "instruction access fault" };
	case CAUSE_LOAD_ACCESS:
		return (struct rt_fault){ RT_READ, value, "load access fault" };
	case CAUSE_STORE_ACCESS:
		return (struct rt_fault){ RT_WRITE, value, "store access fault" };
	default:
		return (struct rt_fault){ 0, value, "another exception" };
	}
}

void rt_write_function(volatile uint64_t *at)
{
	*at = 0x00008067; /* ret */
	__asm__ volatile("fence.i" : : : "memory");
}
