/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests for all ISAs ask of each: here of x86_64. */
#ifndef NESTLING_TESTS_GUESTS_X86_64_ISA_H
#define NESTLING_TESTS_GUESTS_X86_64_ISA_H

#include "tests/guests/x86_64/cpu.h"

#define UNDEFINED_INSN "ud2"

/* Below 4 GiB, where there is no RAM and no device: an I/O APIC would be there. */
#define HOLE 0xfe900000

/* docs/guest-abi.md */
#define VIRTIO(n)    (0xfeb00000ul + (n)*0x1000)
#define CONTROL_PAGE 0xfea00000
#define PANIC_PORT   0x505

/* What a wild program accesses beside virtio devices, as start and size: IOAPIC, local APIC, control page. */
#define WILD_AREAS                                      \
	{ 0xfec00000, 0x1000 }, { 0xfee00000, 0x1000 }, \
	{                                               \
		CONTROL_PAGE, 0x1000                    \
	}

static inline uint8_t panic_read(void)
{
	uint8_t value;

	__asm__ volatile("inb %w1, %b0" : "=a"(value) : "d"(PANIC_PORT));
	return value;
}

static inline void panic_write(uint8_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(PANIC_PORT));
}

/* Walk page tables that begin at `gpa`. */
static inline void walk_at(uint64_t gpa)
{
	write_cr3(gpa);
}

#endif
