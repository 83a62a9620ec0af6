/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that may trap, tried: on registers that this hart may lack, or on guest memory.
 *
 * For the length of one instruction stvec points behind it. The trap changes sepc, scause, stval, htval, htinst, and of
 * sstatus and hstatus what "Trap Entry" (RISC-V Privileged, chapter "Hypervisor Extension") says; the last two are put
 * back, since they decide where sret goes. Interrupts must be off: csr_try_read and csr_try_write see to that, because firmware may
 * be running yet.
 */
#ifndef NESTLING_ARCH_RISCV64_GUARDED_H
#define NESTLING_ARCH_RISCV64_GUARDED_H

#include "include/arch/riscv64/csr.h"

/*
 * Evaluates to true when `insn` did not trap. Operands after it are as for asm: outputs ("+r") ':' inputs. They must be
 * named other than `old` and `failed`.
 */
#define GUARDED(insn, outputs, ...)                                                                                \
	({                                                                                                         \
		uint64_t guarded_old_, guarded_failed_ = 1;                                                        \
		__asm__ volatile("lla %[old], 771f\n\t"                                                            \
				 "csrrw %[old], stvec, %[old]\n\t" insn "\n\t"                                     \
				 "li %[failed], 0\n\t"                                                             \
				 ".balign 4\n"                                                                     \
				 "771:\tcsrw stvec, %[old]"                                                        \
				 : [old] "=&r"(guarded_old_), [failed] "+&r"(guarded_failed_), outputs:__VA_ARGS__ \
				 : "memory");                                                                      \
		guarded_failed_ == 0;                                                                              \
	})

/* Returns sstatus as it was. */
static inline uint64_t interrupts_off(void)
{
	uint64_t sstatus = csr_read(CSR_SSTATUS);

	csr_clear(CSR_SSTATUS, SSTATUS_SIE);
	return sstatus;
}

/* Read a register that may not be there. */
#define csr_try_read(csr, value)                                                                   \
	({                                                                                         \
		uint64_t csr_status_ = interrupts_off(), csr_got_ = 0;                             \
		bool csr_there_ = GUARDED("csrr %[got], " CSR_STRING(csr), [got] "+&r"(csr_got_)); \
		csr_write(CSR_SSTATUS, csr_status_);                                               \
		*(value) = csr_got_;                                                               \
		csr_there_;                                                                        \
	})

/* Write one. False: it is not there, or does not take that. */
#define csr_try_write(csr, value)                                                                           \
	({                                                                                                  \
		uint64_t csr_status_ = interrupts_off(), csr_new_ = (value);                                \
		bool csr_there_ = GUARDED("csrw " CSR_STRING(csr) ", %[csrnew]", [csrnew] "+&r"(csr_new_)); \
		csr_write(CSR_SSTATUS, csr_status_);                                                        \
		csr_there_;                                                                                 \
	})

#endif
