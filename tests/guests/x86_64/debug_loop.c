/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A data breakpoint on the stack of its own debug handler: each delivery of #DB raises the next. CVE-2015-8104. QEMU dies of
 * that, so on AMD it is an instruction breakpoint on the handler, which comes to the same.
 */
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/trap.h"

extern const char loop_handler[];

__asm__("	.section .text.loop, \"ax\", %progbits\n"
	"loop_handler:\n"
	"	jmp	loop_handler\n"
	"	.text\n");

/* Where the CPU puts each frame: by a task-state segment, the same place each time. */
static struct {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7];
	uint8_t rest[12];
} __attribute__((packed)) tss;
static uint64_t gdt[7];
static uint64_t stack[64] __attribute__((aligned(16)));

int guest_main(void)
{
	struct {
		uint16_t limit;
		void *base;
	} __attribute__((packed)) gdtr = { sizeof(gdt) - 1, gdt };
	uint64_t base = (uintptr_t)&tss;

	trap_init();
	trap_gate(VECTOR_DB, loop_handler);
	trap_idt[VECTOR_DB].type |= 1; /* IST 1 */
	tss.ist[0] = (uintptr_t)(stack + 64);
	gdt[2] = 0x00af9b000000ffff;
	gdt[3] = 0x00cf93000000ffff;
	gdt[4] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[5] = base >> 32;
	__asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(gdtr), "r"(0x20));
	if (cpuid(0x40000001, 0).eax) {
		__asm__ volatile("movq %0, %%dr0" : : "r"(loop_handler));
		__asm__ volatile("movq %0, %%dr7" : : "r"(0x400ul | 1));
	} else { /* 8 bytes, written: where the frame's RIP comes to lie */
		__asm__ volatile("movq %0, %%dr0" : : "r"(stack + 59));
		__asm__ volatile("movq %0, %%dr7" : : "r"(0x400ul | 1 | 1ul << 16 | 2ul << 18));
	}
	rt_printf("debug_loop: here it comes\n");
	__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop" : : : "memory", "cc");
	rt_printf("debug_loop: FAILED: it went on\n");
	return 1;
}
