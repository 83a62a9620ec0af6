/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of a trap that should not have been. Source: RISC-V Privileged, "Supervisor CSRs". */
#include "include/arch/machine.h"

#include "boot/cpus.h"
#include "boot/riscv64/trap_stack.h"
#include "include/arch/riscv64/trap.h"
#include "include/arch/riscv64/csr.h"
#include "include/arch/riscv64/guarded.h"
#include "include/log.h"
#include "include/panic.h"

/* As trap_entry builds it: registers by their numbers, and in the place of the first one where the stack was found. */
struct trap_frame {
	union {
		struct trap_stack *stack;
		uint64_t x[32];
	};
};

enum { X_SP = 2 };

_Static_assert(offsetof(struct trap_stack, block) == TRAP_STACK_BLOCK, "trap_stack.h");
_Static_assert(offsetof(struct trap_stack, top) == TRAP_STACK_TOP, "trap_stack.h");
_Static_assert(sizeof(struct trap_stack) == TRAP_STACK_ROW, "trap_stack.h");

extern const char __image_start[], __text_start[], __text_end[];

/*
 * trap_entry takes its stack from here: CPU n's row is n, and the row behind the last CPU's is for a stack pointer that is of no
 * CPU's. Each is changed by its CPU only.
 */
struct trap_stack trap_stacks[CPU_MAX + 1] __attribute__((visibility("hidden")));

/* Where trap_entry puts registers, and its address, which is there while nobody has taken it. */
static uint64_t scratch[3];
uint64_t *trap_scratch __attribute__((visibility("hidden"))) = scratch;

/* Of a trap, and of one while that is reported; the third ends it. The first CPU's fourth one is for what is of no CPU's stack. */
static struct {
	void *tops[ARCH_TRAP_STACKS];
	unsigned depth;
} traps[CPU_MAX + 1];

_Noreturn void trap_handle(const struct trap_frame *frame);

void arch_traps_set_stack(struct cpu *cpu, unsigned index, void *stack_top)
{
	struct trap_stack *row = &trap_stacks[cpu->id];

	traps[cpu->id].tops[index] = stack_top;
	if (index != 0)
		return;
	row->block = align_down((uintptr_t)stack_top, BIT(CPU_BLOCK_SHIFT));
	row->top = stack_top;
	row[1].top = traps[0].tops[ARCH_TRAP_STACKS - 1];
}

void arch_traps_init(struct cpu *cpu)
{
	(void)cpu;
	csr_write(CSR_SSCRATCH, 0);
	csr_write(CSR_STVEC, (uintptr_t)trap_entry);
}

/* Return addresses near the top of the stack, as offsets to look up in the image's symbols. */
static void print_calls(const struct trap_frame *frame)
{
	uint64_t at = align_down(frame->x[X_SP], 8), start = (uintptr_t)__text_start, end = (uintptr_t)__text_end;

	/* Up to the end of its page: that much of a stack that a trap came from is there, if it is a stack. */
	for (unsigned found = 0; (at & (PAGE_SIZE - 1)) != 0 && found < 8; at += 8) {
		uint64_t word = 0;

		if (!GUARDED("ld %[word], (%[at])", [word] "+&r"(word), [at] "r"(at)))
			return;
		if (word < start || word >= end)
			continue;
		log_err("trap:   perhaps called from nestling.elf + %#lx", word - (uintptr_t)__image_start);
		found++;
	}
}

static void print_registers(const struct trap_frame *frame)
{
	static const char *const names[32] = { "x0 ", "ra ", "sp ", "gp ", "tp ", "t0 ", "t1 ", "t2 ", "s0 ", "s1 ", "a0 ",
					       "a1 ", "a2 ", "a3 ", "a4 ", "a5 ", "a6 ", "a7 ", "s2 ", "s3 ", "s4 ", "s5 ",
					       "s6 ", "s7 ", "s8 ", "s9 ", "s10", "s11", "t3 ", "t4 ", "t5 ", "t6 " };

	for (unsigned i = 0; i < 32; i += 4)
		log_err("trap: %s %016lx %s %016lx %s %016lx %s %016lx", names[i], i == 0 ? 0 : frame->x[i], names[i + 1],
			frame->x[i + 1], names[i + 2], frame->x[i + 2], names[i + 3], frame->x[i + 3]);
}

void trap_handle(const struct trap_frame *frame)
{
	uint64_t scause = csr_read(CSR_SCAUSE), sepc = csr_read(CSR_SEPC), stval = csr_read(CSR_STVAL);

	unsigned cpu = (unsigned)(frame->stack - trap_stacks);

	/* A trap in the report gets the next stack and has its say; one in the report of that ends it. */
	if (++traps[cpu].depth > 2)
		arch_halt();
	if (frame->stack->block != 0)
		frame->stack->top = traps[cpu].tops[traps[cpu].depth];
	cpus_begin_trap();
	if (frame->stack->block == 0)
		log_err("trap: sp is of no CPU's stack, so it may have been another CPU");
	log_err("trap: %s (scause %#lx), stval %#lx", cause_name(scause), scause, stval);
	log_err("trap: sepc %#lx = nestling.elf + %#lx, sstatus %#lx, satp %#lx", sepc, sepc - (uintptr_t)__image_start,
		csr_read(CSR_SSTATUS), csr_read(CSR_SATP));
	print_registers(frame);
	print_calls(frame);
	panic("%s in the hypervisor", cause_name(scause));
}
