/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmark guest needs of x86_64. */
#ifndef NESTLING_BENCH_ISA_H
#define NESTLING_BENCH_ISA_H

#include <stdint.h>

/* What one tick of the counter is worth, in instructions, under QEMU's -icount shift=0 and in Bochs. */
#define COUNTER_TICK 1

static inline uint64_t counter(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

/* Tell the profiler (bench/plugin/profile.c) that a phase begins, by the number in a no-operation. */
#define mark(phase) __asm__ volatile("nopl 0x4e530000+%c0(%%rax)" : : "i"(phase) : "memory")

/* Have Bochs' debugger begin to trace, or end it: its magic breakpoint, elsewhere a no-operation. */
static inline void watch(void)
{
	__asm__ volatile("xchg %%bx, %%bx" : : : "memory");
}

/* A register of the UART that has no effect, and one of the interrupt controller. */
static inline void read_uart(void)
{
	__asm__ volatile("inb %w0, %%al" : : "Nd"((uint16_t)0x3fb) : "rax");
}

static inline void read_controller(void)
{
	(void)*(volatile uint32_t *)0xfec00010ul;
}

/* Of a loop that waits for another vCPU: an emulator whose CPUs take turns lets that run. */
static inline void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Interrupts that have been let in by guest/rt/irq.h may come at any time, or not. */
static inline void interrupts_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Change a register of the FPU. */
static inline void use_fp(void)
{
	__asm__ volatile("fninit\n\tfld1");
}

#endif
