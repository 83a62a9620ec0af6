/* SPDX-License-Identifier: BSD-2-Clause */
/* What the code that a started CPU begins with is told. */
#ifndef NESTLING_BOOT_X86_64_START_H
#define NESTLING_BOOT_X86_64_START_H

/* Offsets in struct start_parameters. */
#define START_MAP         0
#define START_ENTRY       8
#define START_CR3         16
#define START_CR4         20
#define START_FAR_32      24
#define START_FAR_64      32
#define START_GDT_POINTER 40

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

/* The operand of a far jump. */
struct far_pointer {
	uint32_t offset;
	uint16_t selector, unused;
};

/* Offsets and the GDT's base are relative to the page where the code is made. */
struct start_parameters {
	uint64_t map;   /* CR3 of the hypervisor's own map */
	uint64_t entry; /* in the image */
	uint32_t cr3;   /* of tables below 4 GiB that map the page, for the way to 64-bit mode */
	uint32_t cr4;
	struct far_pointer far_32, far_64;
	uint16_t gdt_limit;
	uint32_t gdt_base;
	uint16_t unused;
} __attribute__((packed, aligned(8)));

_Static_assert(offsetof(struct start_parameters, map) == START_MAP && offsetof(struct start_parameters, entry) == START_ENTRY &&
		       offsetof(struct start_parameters, cr3) == START_CR3 && offsetof(struct start_parameters, cr4) == START_CR4 &&
		       offsetof(struct start_parameters, far_32) == START_FAR_32 &&
		       offsetof(struct start_parameters, far_64) == START_FAR_64 &&
		       offsetof(struct start_parameters, gdt_limit) == START_GDT_POINTER,
	       "start.S");

extern const char start_code[], start_parameters[], start_code_end[];
extern const char start_entry[];

#endif

#endif
