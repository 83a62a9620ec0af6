/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests for all ISAs ask of each: here of RISC-V, where a guest begins without address translation. */
#ifndef NESTLING_TESTS_GUESTS_RISCV64_ISA_H
#define NESTLING_TESTS_GUESTS_RISCV64_ISA_H

#include "tests/guests/riscv64/csr.h"

#define UNDEFINED_INSN "unimp"

/* Below RAM, where no device is: "virt" has its flash there. */
#define HOLE 0x20000000

/* RISC-V Privileged, "Sv39": physical addresses are 56 bits wide. */
static inline unsigned physical_bits(void)
{
	return 56;
}

/* The address under which any guest-physical address is to be had. */
static inline void *window(uint64_t gpa)
{
	return (void *)gpa;
}

/* docs/guest-abi.md */
#define VIRTIO(n)      (0x10001000ul + (n)*0x1000)
#define CONTROL_PAGE   0x09100000
#define PANIC_REGISTER (*(volatile uint8_t *)0x09101000)

/* What a wild program accesses beside virtio devices, as start and size: PLIC, UART, control page. */
#define WILD_AREAS                                   \
	{ 0x0c000000, 0x600000 }, { 0x10000000, 8 }, \
	{                                            \
		CONTROL_PAGE, 0x1000                 \
	}

static inline uint8_t panic_read(void)
{
	return PANIC_REGISTER;
}

static inline void panic_write(uint8_t value)
{
	PANIC_REGISTER = value;
}

/* Walk page tables that begin at `gpa`. */
static inline void walk_at(uint64_t gpa)
{
	CSR_WRITE("satp", SATP_SV39 | gpa >> 12);
	sfence_vma();
}

#endif
