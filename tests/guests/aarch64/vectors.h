/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors that note what an instruction raises, and go on behind it, at EL1. */
#ifndef NESTLING_TESTS_GUESTS_AARCH64_VECTORS_H
#define NESTLING_TESTS_GUESTS_AARCH64_VECTORS_H

#include "tests/guests/aarch64/el1.h"
#include "tests/guests/check.h"

#define NO_TRAP UINT64_MAX

/* The vectors know the order. */
struct trap {
	uint64_t saved;
	uint64_t esr, far, pc, spsr, vector, count;
	uint64_t resume; /* where it returns to, at EL1 */
};
extern volatile struct trap trap;
extern char trap_vectors[];

__asm__("	.section .bss.trap, \"aw\", %nobits\n"
	"	.balign	8\n"
	"trap:	.skip	64\n"
	"	.section .text.trap, \"ax\", %progbits\n"
	"	.balign	2048\n"
	"trap_vectors:\n"
	"	.set	offset, 0\n"
	"	.rept	16\n"
	"	.balign	128\n"
	"	msr	tpidr_el1, x0\n"
	"	adrp	x0, trap\n"
	"	add	x0, x0, #:lo12:trap\n"
	"	str	x1, [x0]\n"
	"	mov	x1, #offset\n"
	"	b	trap_entry\n"
	"	.set	offset, offset + 128\n"
	"	.endr\n"
	"	.balign	128\n"
	"trap_entry:\n"
	"	str	x1, [x0, #40]\n"
	"	mrs	x1, esr_el1\n"
	"	str	x1, [x0, #8]\n"
	"	mrs	x1, far_el1\n"
	"	str	x1, [x0, #16]\n"
	"	mrs	x1, elr_el1\n"
	"	str	x1, [x0, #24]\n"
	"	mrs	x1, spsr_el1\n"
	"	str	x1, [x0, #32]\n"
	"	ldr	x1, [x0, #48]\n"
	"	add	x1, x1, #1\n"
	"	str	x1, [x0, #48]\n"
	"	ldr	x1, [x0, #56]\n"
	"	msr	elr_el1, x1\n"
	"	mov	x1, #0x3c5\n"
	"	msr	spsr_el1, x1\n"
	"	ldr	x1, [x0]\n"
	"	mrs	x0, tpidr_el1\n"
	"	eret\n"
	"	.text\n");

static inline void trap_init(void)
{
	MSR("vbar_el1", (uintptr_t)trap_vectors);
	isb();
}

/*
 * The syndrome of the exception that an instruction raises, or NO_TRAP. Behind the instruction come its operands as for
 * asm, outputs ':' inputs.
 */
#define TRAP_OF(insn, ...)                                                 \
	({                                                                 \
		trap.esr = NO_TRAP;                                        \
		__asm__ volatile("adr x17, 771f\n\t"                       \
				 "str x17, %[resume]\n\t" insn "\n771:"    \
				 : [resume] "=m"(trap.resume), __VA_ARGS__ \
				 : "x17", "memory");                       \
		trap.esr;                                                  \
	})

/* Does the instruction, which has one operand "x0", raise "undefined", at EL1 and from where it stands? */
#define UNDEFINED(insn)                                                                \
	({                                                                             \
		register uint64_t x0_ __asm__("x0") = 0;                               \
		uint64_t esr_ = TRAP_OF(insn, "+r"(x0_) :);                            \
		bool in_place_ = trap.pc + 4 == trap.resume && (trap.spsr & 0xf) == 5; \
		esr_ != NO_TRAP &&ESR_EC(esr_) == EC_UNDEFINED &&in_place_;            \
	})

#endif
