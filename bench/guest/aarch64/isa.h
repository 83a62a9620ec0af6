/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmark guest needs of AArch64. */
#ifndef NESTLING_BENCH_ISA_H
#define NESTLING_BENCH_ISA_H

#include <stdint.h>

/* What one tick of the counter, of 62.5 MHz, is worth, in instructions, under QEMU's -icount shift=0. */
#define COUNTER_TICK 16

static inline uint64_t counter(void)
{
	uint64_t value;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(value) : : "memory");
	return value;
}

/* Tell the profiler (bench/plugin/profile.c) that a phase begins, by the number in a no-operation. */
#define mark(phase) __asm__ volatile("movz xzr, #0x4e00+%c0, lsl #32" : : "i"(phase) : "memory")

/* The profiler needs no more than that. */
static inline void watch(void)
{
}

/* A register of the UART that has no effect, and one of the interrupt controller. */
static inline uint32_t read_at(uint64_t address)
{
	uint32_t value;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}

static inline void read_uart(void)
{
	(void)read_at(0x09000030);
}

static inline void read_controller(void)
{
	(void)read_at(0x08000104);
}

/* Of a loop that waits for another vCPU: an emulator whose CPUs take turns lets that run. */
static inline void relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}

/* Interrupts that have been let in by guest/rt/irq.h may come at any time, or not. */
static inline void interrupts_on(void)
{
	__asm__ volatile("msr daifclr, #2" : : : "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("msr daifset, #2" : : : "memory");
}

/* Change a register of the FPU. */
static inline void use_fp(void)
{
	__asm__ volatile(".arch_extension fp\n\tfmov d0, #1.0\n\t.arch_extension nofp");
}

#endif
