/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that may trap, tried at EL2: accesses to system registers that the identification registers promise, but
 * that EL3 or the way the CPU was built into its machine may withhold. For the length of one instruction VBAR_EL2 points
 * to vectors that note the exception and go on behind it (drivers/aarch64/guarded.S); all interrupts are masked, because
 * firmware may be running yet.
 *
 * An exception changes ELR_EL2, SPSR_EL2, ESR_EL2 and FAR_EL2: not to be used between an exit and what is read of it.
 */
#ifndef NESTLING_ARCH_AARCH64_GUARDED_H
#define NESTLING_ARCH_AARCH64_GUARDED_H

#include "include/arch/aarch64/insn.h"

/* The vectors clobber x16, and make x17 not 0. */
#define GUARDED_BEGIN                              \
	"mrs %[daif], daif\n\t"                    \
	"msr daifset, #0xf\n\t"                    \
	"mrs %[vbar], vbar_el2\n\t"                \
	"adrp x16, guarded_vectors\n\t"            \
	"add x16, x16, #:lo12:guarded_vectors\n\t" \
	"msr vbar_el2, x16\n\t"                    \
	"isb\n\t"                                  \
	"mov x17, xzr\n\t"
#define GUARDED_END                 \
	"\n\tisb\n\t"               \
	"msr vbar_el2, %[vbar]\n\t" \
	"isb\n\t"                   \
	"msr daif, %[daif]\n\t"     \
	"mov %[failed], x17"

/*
 * Evaluates to true when `insn` did not trap. Operands after it are as for asm: outputs ("+r") ':' inputs. They must be
 * named other than `vbar`, `daif` and `failed`.
 */
#define GUARDED(insn, outputs, ...)                                                                                          \
	({                                                                                                                   \
		uint64_t guarded_vbar_, guarded_daif_, guarded_failed_;                                                      \
		__asm__ volatile(GUARDED_BEGIN insn GUARDED_END                                                              \
				 : [vbar] "=&r"(guarded_vbar_), [daif] "=&r"(guarded_daif_), [failed] "=r"(guarded_failed_), \
				   outputs:__VA_ARGS__                                                                       \
				 : "x16", "x17", "memory");                                                                  \
		guarded_failed_ == 0;                                                                                        \
	})

/* Read a register that may not be there; 0 then. */
#define sysreg_try_read(name, value)                                                                      \
	({                                                                                                \
		uint64_t sysreg_got_ = 0;                                                                 \
		bool sysreg_there_ = GUARDED("mrs %[got], " SYSREG_TEXT(name), [got] "+&r"(sysreg_got_)); \
		*(value) = sysreg_got_;                                                                   \
		sysreg_there_;                                                                            \
	})

/* Write one. False: it is not there. */
#define sysreg_try_write(name, value)                                                               \
	({                                                                                          \
		uint64_t sysreg_new_ = (value);                                                     \
		GUARDED("msr " SYSREG_TEXT(name) ", %[sysregnew]", [sysregnew] "+&r"(sysreg_new_)); \
	})

#endif
