/* SPDX-License-Identifier: BSD-2-Clause */
/* EL2's vectors, and the report of a trap that should not have been. */
#include "include/arch/machine.h"

#include "boot/aarch64/trap_frame.h"
#include "boot/cpus.h"
#include "include/arch/aarch64/esr.h"
#include "include/arch/aarch64/insn.h"
#include "include/arch/cpu.h"
#include "include/log.h"
#include "include/panic.h"

/* As trap_common (trap_entry.S) fills it. It lies at the top of the stack on which the trap is reported. */
struct trap_frame {
	uint64_t x[31], sp, elr, spsr, esr, far;
	struct trap_frame *next; /* for a trap in the report of this one; NULL: there is none */
	uint64_t vector;
};

_Static_assert(offsetof(struct trap_frame, x[1]) == TRAP_X1, "trap_frame.h");
_Static_assert(offsetof(struct trap_frame, x[2]) == TRAP_X2, "trap_frame.h");
_Static_assert(offsetof(struct trap_frame, x[30]) == TRAP_X30, "trap_frame.h");
_Static_assert(offsetof(struct trap_frame, elr) == TRAP_ELR, "trap_frame.h");
_Static_assert(offsetof(struct trap_frame, esr) == TRAP_ESR, "trap_frame.h");
_Static_assert(offsetof(struct trap_frame, next) == TRAP_NEXT, "trap_frame.h");
_Static_assert(offsetof(struct trap_frame, vector) == TRAP_VECTOR, "trap_frame.h");
_Static_assert(sizeof(struct trap_frame) % 16 == 0, "a stack's alignment");

extern const char trap_vectors[];
extern const char __image_start[], __text_start[], __text_end[];

_Noreturn void trap_handle(struct trap_frame *frame);

void arch_traps_set_stack(struct cpu *cpu, unsigned index, void *stack_top)
{
	struct trap_frame *frame = (struct trap_frame *)stack_top - 1, **last = &cpu->arch.trap_next;

	for (unsigned i = 0; i < index; i++)
		last = &(*last)->next;
	frame->next = NULL;
	*last = frame;
}

/* The vectors look for the CPU's frames by arch_this_cpu. */
void arch_traps_init(struct cpu *cpu)
{
	arch_this_cpu_set(cpu);
	write_sysreg(vbar_el2, (uintptr_t)trap_vectors);
	isb();
}

static const char *source_name(uint64_t vector)
{
	static const char *const names[] = { "synchronous exception", "IRQ", "FIQ", "SError" };

	return names[vector % ARRAY_LEN(names)];
}

static bool is_abort(uint64_t esr)
{
	return ESR_EC(esr) == EC_DABT_CUR || ESR_EC(esr) == EC_IABT_CUR;
}

static void print_syndrome(const struct trap_frame *frame)
{
	char fault[64];

	if (frame->vector % 4 != 0) {
		log_err("trap: %s (vector %lu), ESR_EL2 %#lx", source_name(frame->vector), frame->vector, frame->esr);
		return;
	}
	log_err("trap: %s, ESR_EL2 %#lx", esr_class_name(frame->esr), frame->esr);
	if (!is_abort(frame->esr))
		return;
	esr_fault_name(frame->esr, fault, sizeof(fault));
	log_err("trap: %s: %s at %#lx",
		ESR_EC(frame->esr) == EC_IABT_CUR ? "fetch" :
		frame->esr & ABORT_WNR            ? "write" :
						    "read",
		fault, frame->far);
}

static bool in_text(uint64_t address)
{
	return address >= (uintptr_t)__text_start && address < (uintptr_t)__text_end;
}

static uint64_t page_of(uint64_t address)
{
	return align_down(address, PAGE_SIZE);
}

/*
 * Who called whom, by the return addresses near the top of the stack; up to the end of its page, for that much of a stack
 * is there. Of one that has run into its guard page, the page above that.
 */
static void print_calls(const struct trap_frame *frame)
{
	bool near = is_abort(frame->esr) && frame->sp - frame->far + PAGE_SIZE < 2 * PAGE_SIZE;
	uint64_t at = near && page_of(frame->sp) == page_of(frame->far) ? page_of(frame->sp) + PAGE_SIZE :
									  align_down(frame->sp, sizeof(uint64_t));
	unsigned found = 0;

	if (near)
		log_err("trap: perhaps the stack is used up: sp is %#lx", frame->sp);
	do {
		uint64_t word = *(const uint64_t *)(uintptr_t)at;

		if (in_text(word)) {
			log_err("trap:   perhaps called from nestling.elf + %#lx", word - (uintptr_t)__image_start);
			found++;
		}
		at += sizeof(word);
	} while (at != page_of(at) && found < 8);
}

void trap_handle(struct trap_frame *frame)
{
	cpus_begin_trap();
	print_syndrome(frame);
	if (in_text(frame->elr))
		log_err("trap: pc %#lx = nestling.elf + %#lx, SPSR_EL2 %#lx, FAR_EL2 %#lx", frame->elr,
			frame->elr - (uintptr_t)__image_start, frame->spsr, frame->far);
	else
		log_err("trap: pc %#lx, outside the image's code, SPSR_EL2 %#lx, FAR_EL2 %#lx", frame->elr, frame->spsr,
			frame->far);
	for (unsigned i = 0; i < 28; i += 4)
		log_err("trap: x%-2u %#018lx x%-2u %#018lx x%-2u %#018lx x%-2u %#018lx", i, frame->x[i], i + 1, frame->x[i + 1],
			i + 2, frame->x[i + 2], i + 3, frame->x[i + 3]);
	log_err("trap: x28 %#018lx x29 %#018lx x30 %#018lx sp  %#018lx", frame->x[28], frame->x[29], frame->x[30], frame->sp);
	print_calls(frame);
	panic("%s in the hypervisor", frame->vector % 4 == 0 ? esr_class_name(frame->esr) : source_name(frame->vector));
}
