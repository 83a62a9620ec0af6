/* SPDX-License-Identifier: BSD-2-Clause */
/* What an x86_64 guest is told of its faults: Intel SDM vol. 3, "Page-Fault Exception (#PF)". */
#include "guest/rt/fault.h"

#define CODE_SELECTOR  0x10   /* docs/guest-abi.md */
#define INTERRUPT_GATE 0x8e00 /* present */

#define VECTOR_GP 13
#define VECTOR_PF 14

#define PF_WRITE 0x02
#define PF_FETCH 0x10

/* trap.S writes it, by vCPU. */
extern const volatile struct {
	uint64_t vector, error, cr2, recovery;
} rt_traps[];
extern char rt_trap_gp[], rt_trap_pf[];

static struct gate {
	uint16_t offset_0, selector, type, offset_16;
	uint32_t offset_32, reserved;
} idt[VECTOR_PF + 1];

static struct gate gate(const char *handler)
{
	uint64_t address = (uintptr_t)handler;

	return (struct gate){ .offset_0 = (uint16_t)address,
			      .selector = CODE_SELECTOR,
			      .type = INTERRUPT_GATE,
			      .offset_16 = (uint16_t)(address >> 16),
			      .offset_32 = (uint32_t)(address >> 32) };
}

void rt_fault_init(void)
{
	const struct {
		uint16_t limit;
		const void *base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, idt };

	idt[VECTOR_GP] = gate(rt_trap_gp);
	idt[VECTOR_PF] = gate(rt_trap_pf);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

struct rt_fault rt_fault_last(void)
{
	uint64_t error = rt_traps[rt_cpu_id()].error;
	unsigned access = RT_READ;

	if (rt_traps[rt_cpu_id()].vector == VECTOR_GP)
		return (struct rt_fault){ 0, RT_UNKNOWN, "#GP" };
	if (error & PF_FETCH)
		access = RT_EXECUTE;
	else if (error & PF_WRITE)
		access = RT_WRITE;
	return (struct rt_fault){ access, rt_traps[rt_cpu_id()].cr2, "#PF" };
}

void rt_write_function(volatile uint64_t *at)
{
	*at = 0xc3; /* ret */
}
