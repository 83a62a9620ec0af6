/* SPDX-License-Identifier: BSD-2-Clause */
/* Address types and size helpers shared by every part of Nestling. */
#ifndef NESTLING_TYPES_H
#define NESTLING_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One-member structs, so that an address of one kind never compiles where another is meant.
 * All are byte addresses.
 */
typedef struct {
	uint64_t raw;
} gpa_t; /* guest-physical (Arm: IPA) */
typedef struct {
	uint64_t raw;
} hpa_t; /* host-physical */
typedef struct {
	uint64_t raw;
} hva_t; /* the hypervisor's own virtual address */
typedef struct {
	uint64_t raw;
} gva_t; /* guest-virtual */

#define GPA(x) ((gpa_t){ (x) })
#define HPA(x) ((hpa_t){ (x) })
#define HVA(x) ((hva_t){ (x) })
#define GVA(x) ((gva_t){ (x) })

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

#define PAGE_SHIFT 12u
#define PAGE_SIZE  KIB(4)

#define BIT(n)       (UINT64_C(1) << (n))
/* Bits hi..lo inclusive. */
#define BITS(hi, lo) ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* `align` is a power of two in all three. */
static inline uint64_t align_down(uint64_t x, uint64_t align)
{
	return x & ~(align - 1);
}

static inline uint64_t align_up(uint64_t x, uint64_t align)
{
	return (x + align - 1) & ~(align - 1);
}

static inline bool is_aligned(uint64_t x, uint64_t align)
{
	return (x & (align - 1)) == 0;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
