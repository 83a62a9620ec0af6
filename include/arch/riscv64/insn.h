/* SPDX-License-Identifier: BSD-2-Clause */
/* Fences and waits. Source: RISC-V Privileged Architecture, "Supervisor Instructions", "Hypervisor Instructions". */
#ifndef NESTLING_ARCH_RISCV64_INSN_H
#define NESTLING_ARCH_RISCV64_INSN_H

#include "include/types.h"

/* Flush all of this hart's own translations. */
static inline void sfence_vma_all(void)
{
	__asm__ volatile("sfence.vma" : : : "memory");
}

/*
 * The H extension's fences, in numbers for assemblers that do not know them: opcode SYSTEM, funct7 0x31 for GVMA and 0x11
 * for VVMA, rs2 the VMID or ASID, rs1 the address. x0 stands for all.
 */

/* Flush the G-stage translation of guest-physical `gpa` under VMID `vmid`: rs1 holds the address shifted right by 2. */
static inline void hfence_gvma_page(uint64_t gpa, uint64_t vmid)
{
	__asm__ volatile(".insn r 0x73, 0, 0x31, x0, %0, %1" : : "r"(gpa >> 2), "r"(vmid) : "memory");
}

static inline void hfence_gvma_vmid(uint64_t vmid)
{
	__asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, %0" : : "r"(vmid) : "memory");
}

static inline void hfence_gvma_all(void)
{
	__asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" : : : "memory");
}

/* Flush the first-stage translations of the VMID in hgatp. */
static inline void hfence_vvma_all(void)
{
	__asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" : : : "memory");
}

/*
 * Write a cache block back to memory and invalidate it: Zicbom, in numbers as above. Opcode MISC-MEM, funct3 2 (CBO), rd x0, and
 * the operation 2 (flush) as the immediate.
 */
static inline void cbo_flush(const volatile void *at)
{
	__asm__ volatile(".insn i 0x0f, 2, x0, %0, 2" : : "r"(at) : "memory");
}

/* Clear a cache block: Zicboz, operation 4. */
static inline void cbo_zero(void *at)
{
	__asm__ volatile(".insn i 0x0f, 2, x0, %0, 4" : : "r"(at) : "memory");
}

/* All that came before, before all that comes after; devices and memory. */
static inline void fence(void)
{
	__asm__ volatile("fence" : : : "memory");
}

static inline void fence_i(void)
{
	__asm__ volatile("fence.i" : : : "memory");
}

static inline void wfi(void)
{
	__asm__ volatile("wfi" : : : "memory");
}

#endif
