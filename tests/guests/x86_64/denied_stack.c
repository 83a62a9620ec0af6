/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exception whose stack the guest may not write: on top of it comes the fault for that, which meets the same stack, and so a
 * double fault, which has a stack of its own. Without that one, the run ends.
 */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/trap.h"

#define VECTOR_DF    8
#define TSS_SELECTOR 0x20

static struct {
	uint32_t reserved;
	uint64_t rsp[3], reserved2, ist[7], reserved3;
	uint16_t reserved4, io_map;
} __attribute__((packed)) tss;

static uint64_t gdt[6];
static char stack[4096] __attribute__((aligned(16)));

/* The runtime's descriptors, and a TSS with a stack for #DF. */
static void own_stack_for_double_faults(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr;
	uint64_t base = (uintptr_t)&tss;

	__asm__ volatile("sgdt %0" : "=m"(gdtr));
	memcpy(gdt, (const void *)gdtr.base, 4 * sizeof(gdt[0]));
	gdt[4] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[5] = base >> 32;
	gdtr.limit = sizeof(gdt) - 1;
	gdtr.base = (uintptr_t)gdt;
	tss.ist[0] = (uintptr_t)stack + sizeof(stack);
	tss.io_map = sizeof(tss);
	__asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(gdtr), "r"(TSS_SELECTOR) : "memory");
	trap_idt[VECTOR_DF].type |= 1; /* IST 1 */
}

static void on_stack(void *top)
{
	uint64_t own;

	__asm__ volatile("movq %%rsp, %0\n\tmovq %1, %%rsp\n\t"
			 "movq $772f, trap_resume(%%rip)\n\tud2\n772:\tmovq %0, %%rsp"
			 : "=&r"(own)
			 : "r"(top)
			 : "memory", "cc");
}

int guest_main(void)
{
	char *page = fresh_page();

	trap_init();
	own_stack_for_double_faults();
	*(volatile char *)page = 1;
	on_stack(page + RT_PAGE_SIZE);
	CHECK(trap_vector == VECTOR_UD && trap_count == 1);

	CHECK(rt_hypercall(RT_CALL_PROTECT, (uintptr_t)page, RT_PAGE_SIZE, 1, 0) == 0);
	CHECK(rt_hypercall(RT_CALL_FAULT_MODE, 1, 0, 0, 0) == 0);
	trap_count = 0;
	on_stack(page + RT_PAGE_SIZE);
	CHECK(trap_vector == VECTOR_DF && trap_error == 0 && trap_count == 1);
	if (check_status("denied_stack") != 0)
		return 1;

	trap_idt[VECTOR_DF].type &= 0xff00;
	rt_printf("denied_stack: nowhere to go\n");
	on_stack(page + RT_PAGE_SIZE);
	return 1;
}
