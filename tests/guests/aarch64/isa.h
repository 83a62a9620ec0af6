/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests for all ISAs ask of each: here of AArch64, where a guest begins without address translation. */
#ifndef NESTLING_TESTS_GUESTS_AARCH64_ISA_H
#define NESTLING_TESTS_GUESTS_AARCH64_ISA_H

#include "tests/guests/aarch64/el1.h"

#define UNDEFINED_INSN "udf #0"

/* Below RAM, where no device is: "virt" has its PCI window there. */
#define HOLE 0x20000000

/* "ID_AA64MMFR0_EL1", PARange. */
static inline unsigned physical_bits(void)
{
	static const uint8_t bits[16] = { 32, 36, 40, 42, 44, 48, 52 };

	return bits[MRS("id_aa64mmfr0_el1") & 0xf];
}

/* The address under which any guest-physical address is to be had. */
static inline void *window(uint64_t gpa)
{
	return (void *)gpa;
}

/* docs/guest-abi.md */
#define VIRTIO(n)      (0x0a000000ul + (n)*0x200)
#define CONTROL_PAGE   0x09100000
#define PANIC_REGISTER (*(volatile uint8_t *)0x09101000)

/* What a wild program accesses beside virtio devices, as start and size: a GICv2's parts, UART, control page. */
#define WILD_AREAS                                                                \
	{ 0x08000000, 0x10000 }, { 0x08010000, 0x10000 }, { 0x09000000, 0x1000 }, \
	{                                                                         \
		CONTROL_PAGE, 0x1000                                              \
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
	MSR("mair_el1", MAIR);
	MSR("tcr_el1", TCR_BASE);
	MSR("ttbr0_el1", gpa);
	isb();
	flush_tlb();
	MSR("sctlr_el1", MRS("sctlr_el1") | SCTLR_M);
	isb();
}

#endif
