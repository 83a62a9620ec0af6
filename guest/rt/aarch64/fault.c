/* SPDX-License-Identifier: BSD-2-Clause */
/* What an AArch64 guest is told of its faults: Arm ARM (DDI 0487), "ESR_EL1". */
#include "guest/rt/fault.h"

#define EC_IABT      0x21 /* from the same level */
#define EC_DABT      0x25
#define ISS_WNR      0x40
#define ISS_FSC      0x3f
#define FSC_EXTERNAL 0x10 /* synchronous external abort, not on a walk */

/* trap.S writes it, by vCPU. */
extern const volatile struct {
	uint64_t esr, far, recovery, unused;
} rt_traps[];
extern char rt_trap_vectors[];

void rt_fault_init(void)
{
	__asm__ volatile("msr vbar_el1, %0\n\tisb" : : "r"(rt_trap_vectors) : "memory");
}

struct rt_fault rt_fault_last(void)
{
	uint64_t esr = rt_traps[rt_cpu_id()].esr, far = rt_traps[rt_cpu_id()].far;
	unsigned class = (unsigned)(esr >> 26);

	if ((class != EC_IABT && class != EC_DABT) || (esr & ISS_FSC) != FSC_EXTERNAL)
		return (struct rt_fault){ 0, far, "another exception" };
	if (class == EC_IABT)
		return (struct rt_fault){ RT_EXECUTE, far, "instruction abort" };
	return (struct rt_fault){ esr & ISS_WNR ? RT_WRITE : RT_READ, far, "data abort" };
}

/* "Concurrent modification and execution of instructions"; lines are no shorter than 16 bytes. */
void rt_write_function(volatile uint64_t *at)
{
	*at = 0xd65f03c0; /* ret */
	__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" : : "r"(at) : "memory");
}
