/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own GDT, TSS and IDT, and the report of a trap that should not have been.
 * Source: Intel SDM vol. 3, "Interrupt Descriptor Table (IDT)", "Task Management in 64-bit Mode", "Interrupt Stack Table".
 */
#include "include/arch/machine.h"

#include "boot/cpus.h"
#include "boot/x86_64/vectors.h"
#include "drivers/x86_64/apic.h"
#include "include/arch/cpu.h"
#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/log.h"
#include "include/panic.h"

#define VECTORS            256
#define FIRST_INTERRUPT    32
#define TRAP_ENTRY_STRIDE  16 /* .balign in trap_entry.S */
#define SELECTOR_CODE      0x08
#define SELECTOR_DATA      0x10
#define SELECTOR_TSS       0x18
#define DESCRIPTOR_PRESENT BIT(47)

/* As trap_common pushes it, lowest address first. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss; /* by the CPU */
};

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map; /* offset; past the end: none */
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "the 64-bit TSS");

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

extern const char trap_entries[], interrupt_timer[], interrupt_ipi[];
extern const char __image_start[], __text_start[], __text_end[];

static struct tss tss[CPU_MAX];  /* each CPU's own, as its GDT is, which is in struct cpu */
static struct gate idt[VECTORS]; /* the same for all; written by the first CPU before it starts others */

void trap_handle(struct trap_frame *frame);

/* Traps that may come when the stack itself is the trouble, each with a stack of its own. */
static const uint8_t stack_vectors[ARCH_TRAP_STACKS] = { VECTOR_DF, VECTOR_NMI, VECTOR_MC, VECTOR_PF };

void arch_traps_set_stack(struct cpu *cpu, unsigned index, void *stack_top)
{
	tss[cpu->id].ist[index] = (uintptr_t)stack_top;
}

/* By the GDT that is loaded arch_this_cpu finds the CPU. */
void arch_this_cpu_set(struct cpu *cpu)
{
	uint64_t *gdt = cpu->arch.gdt, base = (uintptr_t)&tss[cpu->id];
	const struct table_pointer pointer = { .limit = sizeof(cpu->arch.gdt) - 1, .base = (uintptr_t)gdt };

	tss[cpu->id].io_map = sizeof(struct tss);
	gdt[1] = GDT_CODE64;
	gdt[2] = GDT_DATA;
	gdt[3] = (sizeof(struct tss) - 1) | (base & BITS(23, 0)) << 16 | (uint64_t)GDT_TYPE_TSS_AVAILABLE << 40 |
		 DESCRIPTOR_PRESENT | (base & BITS(31, 24)) << 32;
	gdt[4] = base >> 32;
	lgdt(&pointer);
	__asm__ volatile("push %0\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "lretq\n"
			 "1:\tmov %1, %%ds\n\t"
			 "mov %1, %%es\n\t"
			 "mov %1, %%fs\n\t"
			 "mov %1, %%gs\n\t"
			 "mov %1, %%ss\n\t"
			 "ltr %2"
			 :
			 : "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"((uint16_t)SELECTOR_TSS)
			 : "rax", "memory");
}

static void set_gate(unsigned vector, const char *handler)
{
	uintptr_t entry = (uintptr_t)handler;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)entry,
		.selector = SELECTOR_CODE,
		.type = 0x80 | GDT_TYPE_INTERRUPT_GATE, /* present, DPL 0 */
		.offset_middle = (uint16_t)(entry >> 16),
		.offset_high = (uint32_t)(entry >> 32),
	};
}

static void make_idt(void)
{
	for (unsigned vector = 0; vector < VECTORS; vector++)
		set_gate(vector, trap_entries + vector * TRAP_ENTRY_STRIDE);
	set_gate(INTERRUPT_TIMER, interrupt_timer);
	set_gate(INTERRUPT_IPI, interrupt_ipi);
	for (unsigned i = 0; i < ARCH_TRAP_STACKS; i++)
		idt[stack_vectors[i]].ist = (uint8_t)(i + 1);
}

_Static_assert(offsetof(struct cpu, arch.gdt) == 0, "arch_this_cpu");
_Static_assert(sizeof(((struct cpu *)0)->arch.gdt) == 5 * sizeof(uint64_t), "none, code, data, and two words for the TSS");

/* A trap's handler asks which CPU it is on. */
void arch_traps_init(struct cpu *cpu)
{
	const struct table_pointer pointer = { .limit = sizeof(idt) - 1, .base = (uintptr_t)idt };

	if (cpu->id == 0)
		make_idt();
	arch_this_cpu_set(cpu);
	lidt(&pointer);
}

static const char *vector_name(uint64_t vector)
{
	static const char *const names[] = {
		[VECTOR_DE] = "divide error", [VECTOR_DB] = "debug exception",    [VECTOR_NMI] = "non-maskable interrupt",
		[VECTOR_BP] = "breakpoint",   [VECTOR_UD] = "invalid opcode",     [VECTOR_NM] = "device not available",
		[VECTOR_DF] = "double fault", [VECTOR_TS] = "invalid TSS",        [VECTOR_NP] = "segment not present",
		[VECTOR_SS] = "stack fault",  [VECTOR_GP] = "general protection", [VECTOR_PF] = "page fault",
		[VECTOR_MF] = "x87 error",    [VECTOR_AC] = "alignment check",    [VECTOR_MC] = "machine check",
		[VECTOR_XM] = "SIMD error",
	};
	const char *name = vector < ARRAY_LEN(names) ? names[vector] : NULL;

	return name ? name : "exception";
}

/* Is it a fault on the guard page below the stack in use? The stack pointer may be in it, or in the page above. */
static bool is_overflow(const struct trap_frame *frame, uint64_t address)
{
	return frame->vector == VECTOR_PF && frame->rsp - address + PAGE_SIZE < 2 * PAGE_SIZE;
}

/* Where the stack can be read from on, up to the end of that page. */
static const uint64_t *readable(const struct trap_frame *frame, uint64_t address)
{
	bool in_guard = is_overflow(frame, address) && align_down(frame->rsp, PAGE_SIZE) == align_down(address, PAGE_SIZE);

	return (const uint64_t *)(uintptr_t)(in_guard ? align_up(frame->rsp + 1, PAGE_SIZE) + sizeof(uint64_t) :
							align_down(frame->rsp, sizeof(uint64_t)));
}

/* Return addresses near the top of the stack, as offsets to look up in the image's symbols. */
static void print_calls(const struct trap_frame *frame, uint64_t address)
{
	const uint64_t *word = readable(frame, address), *end_of_page = (const uint64_t *)align_up((uintptr_t)word, PAGE_SIZE);
	uint64_t start = (uintptr_t)__text_start, end = (uintptr_t)__text_end;
	unsigned found = 0;

	/* Up to the end of its page: that much of a stack that a trap came from is there. */
	if (is_overflow(frame, address))
		log_err("trap: perhaps the stack is used up: rsp is %#lx", frame->rsp);
	for (; word < end_of_page && found < 8; word++) {
		if (*word < start || *word >= end)
			continue;
		log_err("trap:   perhaps called from nestling.elf + %#lx", *word - (uintptr_t)__image_start);
		found++;
	}
}

/* Sources other than ours are masked; what was on its way comes once, and is let go. A spurious interrupt is not in service. */
static void end_interrupt(uint8_t vector)
{
	if (apic_in_service(vector))
		apic_end_of_interrupt();
}

void trap_handle(struct trap_frame *f)
{
	uint64_t address = read_cr2();

	if (f->vector >= FIRST_INTERRUPT) {
		end_interrupt((uint8_t)f->vector);
		return;
	}
	if (f->vector == VECTOR_NMI && __atomic_load_n(&arch_this_cpu()->stopped, __ATOMIC_ACQUIRE))
		arch_halt();
	cpus_begin_trap();
	log_err("trap: %s (vector %lu), error code %#lx", vector_name(f->vector), f->vector, f->error);
	log_err("trap: rip %#lx = nestling.elf + %#lx, cs %#lx, rflags %#lx, cr2 %#lx", f->rip, f->rip - (uintptr_t)__image_start,
		f->cs, f->rflags, address);
	log_err("trap: rax 0x%016lx rbx 0x%016lx rcx 0x%016lx rdx 0x%016lx", f->rax, f->rbx, f->rcx, f->rdx);
	log_err("trap: rsi 0x%016lx rdi 0x%016lx rbp 0x%016lx rsp 0x%016lx", f->rsi, f->rdi, f->rbp, f->rsp);
	log_err("trap: r8  0x%016lx r9  0x%016lx r10 0x%016lx r11 0x%016lx", f->r8, f->r9, f->r10, f->r11);
	log_err("trap: r12 0x%016lx r13 0x%016lx r14 0x%016lx r15 0x%016lx", f->r12, f->r13, f->r14, f->r15);
	print_calls(f, address);
	panic("%s in the hypervisor", vector_name(f->vector));
}
