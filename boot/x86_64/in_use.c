/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an x86-64 CPU finds by its registers. Source: Intel SDM vol. 3, "Hierarchical Paging Structures", "Segment Descriptor
 * Tables", "TSS Descriptor in 64-bit mode", "64-Bit Mode IDT", "Interrupt Stack Table".
 */
#include "include/arch/machine.h"

#include <string.h>

#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "npt/foreign.h"

/* UEFI specification 2.10, "x64 Platforms": at least so much stack is available to us; where it begins is not specified. */
#define STACK_BYTES KIB(128)

/* A descriptor of a system segment, and a gate, are of 16 bytes in 64-bit mode. */
struct system_descriptor {
	uint16_t limit, base_low;
	uint8_t base_middle, type, limit_high, base_high;
	uint32_t base_highest, reserved;
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

#define GATE_PRESENT 0x80

/* Stack pointers in a TSS: three of privilege levels, one reserved, seven of the interrupt stack table. */
#define TSS_STACKS_OFFSET 4
#define TSS_STACKS        11

struct in_use {
	arch_region_visitor visit;
	void *context;
};

static bool visit_table(hpa_t table, void *context)
{
	const struct in_use *use = context;

	return use->visit(table, PAGE_SIZE, use->context);
}

static bool visit(const struct in_use *use, uint64_t start, uint64_t size)
{
	return use->visit(HPA(start), size, use->context);
}

static void visit_tss(const struct in_use *use, uint64_t base, uint64_t bytes)
{
	uint64_t stack;

	if (!visit(use, base, bytes))
		return;
	for (uint64_t i = 0; i < TSS_STACKS && TSS_STACKS_OFFSET + (i + 1) * sizeof(stack) <= bytes; i++) {
		memcpy(&stack, (const char *)(uintptr_t)base + TSS_STACKS_OFFSET + i * sizeof(stack), sizeof(stack));
		if (stack >= PAGE_SIZE)
			visit(use, stack - PAGE_SIZE, PAGE_SIZE);
	}
}

static void visit_gdt(const struct in_use *use)
{
	struct system_descriptor tss;
	struct table_pointer gdt;
	uint16_t selector = read_tr() & (uint16_t)~7u;

	sgdt(&gdt);
	if (!visit(use, gdt.base, gdt.limit + UINT64_C(1)) || selector == 0 || selector + sizeof(tss) > gdt.limit + 1u)
		return;
	memcpy(&tss, (const char *)(uintptr_t)gdt.base + selector, sizeof(tss));
	visit_tss(use,
		  tss.base_low | (uint64_t)tss.base_middle << 16 | (uint64_t)tss.base_high << 24 | (uint64_t)tss.base_highest << 32,
		  ((tss.limit_high & 0xfu) << 16 | tss.limit) + UINT64_C(1));
}

/* The handlers' first pages: of most firmware all are in one. */
static void visit_idt(const struct in_use *use)
{
	struct table_pointer idt;
	struct gate gate;
	uint64_t last = 0;

	sidt(&idt);
	if (!visit(use, idt.base, idt.limit + UINT64_C(1)))
		return;
	for (uint64_t at = 0; at + sizeof(gate) <= idt.limit + UINT64_C(1); at += sizeof(gate)) {
		uint64_t handler;

		memcpy(&gate, (const char *)(uintptr_t)idt.base + at, sizeof(gate));
		handler = gate.offset_low | (uint64_t)gate.offset_middle << 16 | (uint64_t)gate.offset_high << 32;
		if ((gate.type & GATE_PRESENT) && align_down(handler, PAGE_SIZE) != last)
			visit(use, last = align_down(handler, PAGE_SIZE), PAGE_SIZE);
	}
}

void arch_in_use(arch_region_visitor visitor, void *context)
{
	struct in_use use = { visitor, context };
	bool five = read_cr4() & CR4_LA57;
	const struct npt_config config = { .levels = five ? 5 : 4, .gpa_bits = five ? 57 : 48 };
	uint64_t stack = align_down((uintptr_t)__builtin_frame_address(0), PAGE_SIZE);

	npt_visit_tables(&npt_x86_host, &config, HPA(read_cr3() & BITS(51, 12)), 0, visit_table, &use);
	visit_gdt(&use);
	visit_idt(&use);
	visit(&use, stack > STACK_BYTES ? stack - STACK_BYTES : 0, 2 * STACK_BYTES);
}
