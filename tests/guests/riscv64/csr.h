/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and page-table entries, as a guest's kernel sees them. RISC-V Privileged, "Supervisor-Level ISA". */
#ifndef NESTLING_TESTS_GUESTS_RISCV64_CSR_H
#define NESTLING_TESTS_GUESTS_RISCV64_CSR_H

#include "guest/rt/rt.h"

#define SSTATUS_SIE  (1ul << 1)
#define SSTATUS_SPIE (1ul << 5)
#define SSTATUS_SPP  (1ul << 8)
#define SSTATUS_FS   (3ul << 13)
#define SSTATUS_SUM  (1ul << 18)

#define SIE_SSIE (1ul << 1)
#define SIE_STIE (1ul << 5)

#define CAUSE_ILLEGAL_INSN 2
#define CAUSE_BREAKPOINT   3
#define CAUSE_ECALL_U      8
#define CAUSE_FETCH_PAGE   12
#define CAUSE_LOAD_PAGE    13
#define CAUSE_STORE_PAGE   15
#define CAUSE_INTERRUPT    (1ul << 63)

#define PTE_V           0x01ul
#define PTE_R           0x02ul
#define PTE_W           0x04ul
#define PTE_X           0x08ul
#define PTE_U           0x10ul
#define PTE_A           0x40ul
#define PTE_D           0x80ul
#define PTE_RWX         (PTE_R | PTE_W | PTE_X)
#define PTE_OF(address) ((uint64_t)(uintptr_t)(address) >> 2)

#define SATP_SV39 (8ul << 60)
#define SATP_SV48 (9ul << 60)
#define SATP_SV57 (10ul << 60)

#define CSR_READ(name)                                                        \
	({                                                                    \
		uint64_t csr_;                                                \
		__asm__ volatile("csrr %0, " name : "=r"(csr_) : : "memory"); \
		csr_;                                                         \
	})
#define CSR_WRITE(name, value) __asm__ volatile("csrw " name ", %0" : : "r"((uint64_t)(value)) : "memory")
#define CSR_SET(name, bits)    __asm__ volatile("csrs " name ", %0" : : "r"((uint64_t)(bits)) : "memory")
#define CSR_CLEAR(name, bits)  __asm__ volatile("csrc " name ", %0" : : "r"((uint64_t)(bits)) : "memory")

static inline void sfence_vma(void)
{
	__asm__ volatile("sfence.vma" : : : "memory");
}

struct sbi_result {
	int64_t error;
	uint64_t value;
};

static inline struct sbi_result sbi(uint64_t extension, uint64_t function, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	register uint64_t a0 __asm__("a0") = arg0;
	register uint64_t a1 __asm__("a1") = arg1;
	register uint64_t a2 __asm__("a2") = arg2;
	register uint64_t a6 __asm__("a6") = function;
	register uint64_t a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_result){ (int64_t)a0, a1 };
}

#endif
