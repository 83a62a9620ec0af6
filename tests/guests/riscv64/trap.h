/* SPDX-License-Identifier: BSD-2-Clause */
/* A trap handler that notes what an instruction raises, and goes on behind it, in S-mode. Interrupts end with sie cleared. */
#ifndef NESTLING_TESTS_GUESTS_RISCV64_TRAP_H
#define NESTLING_TESTS_GUESTS_RISCV64_TRAP_H

#include "tests/guests/check.h"
#include "tests/guests/riscv64/csr.h"

#define NO_TRAP UINT64_MAX

/* The handler knows the order. */
static volatile struct {
	uint64_t saved;
	uint64_t cause, value, pc, count;
	uint64_t resume; /* where the handler returns to; 0: to where the trap came from */
} trap __attribute__((used)) = { .cause = NO_TRAP };

static void __attribute__((naked, aligned(4), used)) trap_handler(void)
{
	__asm__ volatile("csrw sscratch, t0\n\t"
			 "lla t0, %0\n\t"
			 "sd t1, 0(t0)\n\t"
			 "csrr t1, scause\n\t"
			 "sd t1, 8(t0)\n\t"
			 "bgez t1, 1f\n\t"
			 "csrw sie, zero\n"
			 "1:\tcsrr t1, stval\n\t"
			 "sd t1, 16(t0)\n\t"
			 "csrr t1, sepc\n\t"
			 "sd t1, 24(t0)\n\t"
			 "ld t1, 32(t0)\n\t"
			 "addi t1, t1, 1\n\t"
			 "sd t1, 32(t0)\n\t"
			 "ld t1, 40(t0)\n\t"
			 "beqz t1, 2f\n\t"
			 "csrw sepc, t1\n\t"
			 "li t1, 0x100\n\t"
			 "csrs sstatus, t1\n"
			 "2:\tld t1, 0(t0)\n\t"
			 "csrr t0, sscratch\n\t"
			 "sret"
			 :
			 : "S"(&trap));
}

static inline void trap_init(void)
{
	CSR_WRITE("stvec", (uintptr_t)trap_handler);
}

/*
 * The cause of the trap that an instruction raises, or NO_TRAP. Behind the instruction come its operands as for asm,
 * outputs ':' inputs.
 */
#define TRAP_OF(insn, ...)                                                 \
	({                                                                 \
		trap.cause = NO_TRAP;                                      \
		__asm__ volatile("lla t0, 771f\n\t"                        \
				 "sd t0, %[resume]\n\t" insn "\n771:"      \
				 : [resume] "=m"(trap.resume), __VA_ARGS__ \
				 : "t0", "memory");                        \
		trap.resume = 0;                                           \
		trap.cause;                                                \
	})

#endif
