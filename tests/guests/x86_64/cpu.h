/* SPDX-License-Identifier: BSD-2-Clause */
/* The x86_64 instructions that test guests use, and a window to any guest-physical address. */
#ifndef NESTLING_TESTS_GUESTS_X86_64_CPU_H
#define NESTLING_TESTS_GUESTS_X86_64_CPU_H

#include "guest/rt/rt.h"

#define PTE_P    (1ul << 0)
#define PTE_W    (1ul << 1)
#define PTE_U    (1ul << 2)
#define PTE_A    (1ul << 5)
#define PTE_D    (1ul << 6)
#define PTE_PS   (1ul << 7)
#define PTE_ADDR 0x000ffffffffff000ul

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "0"(leaf), "2"(subleaf));
	return r;
}

static inline unsigned physical_bits(void)
{
	return cpuid(0x80000008, 0).eax & 0xff;
}

static inline uint64_t read_cr3(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr3, %0" : "=r"(value));
	return value;
}

static inline void write_cr3(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

/*
 * The identity map that a guest starts with covers its RAM. This maps the 2 MiB around any guest-physical address
 * elsewhere, and returns the address it has there.
 */
#define WINDOW      0xffff800000000000ul
#define WINDOW_SLOT 256 /* of the top table */

static inline void *window(uint64_t gpa)
{
	static uint64_t pdpt[512] __attribute__((aligned(4096))), pd[512] __attribute__((aligned(4096)));
	uint64_t *pml4 = (uint64_t *)(read_cr3() & PTE_ADDR);

	pml4[WINDOW_SLOT] = (uintptr_t)pdpt | PTE_P | PTE_W;
	pdpt[0] = (uintptr_t)pd | PTE_P | PTE_W;
	pd[0] = (gpa & ~0x1ffffful) | PTE_P | PTE_W | PTE_PS;
	write_cr3(read_cr3());
	return (char *)WINDOW + (gpa & 0x1fffff);
}

#endif
