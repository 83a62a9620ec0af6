/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmark guest needs of RISC-V. */
#ifndef NESTLING_BENCH_ISA_H
#define NESTLING_BENCH_ISA_H

#include <stdint.h>

/* What one tick of the counter is worth, in instructions. */
#define COUNTER_TICK 1

/* The time counts in steps of 100 instructions on QEMU; this one counts them. */
static inline uint64_t counter(void)
{
	uint64_t value;

	__asm__ volatile("rdinstret %0" : "=r"(value) : : "memory");
	return value;
}

/* Tell the profiler (bench/plugin/profile.c) that a phase begins, by the number in a no-operation. */
#define mark(phase) __asm__ volatile("lui zero, 0x4e500+%0" : : "i"(phase) : "memory")

/* The profiler needs no more than that. */
static inline void watch(void)
{
}

/* A register of the UART that has no effect, and one of the interrupt controller. */
static inline void read_uart(void)
{
	(void)*(volatile uint8_t *)0x10000005ul;
}

static inline void read_controller(void)
{
	(void)*(volatile uint32_t *)0x0c200000ul;
}

/* Of a loop that waits for another vCPU: an emulator whose CPUs take turns lets that run. */
static inline void relax(void)
{
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory");
}

/* Interrupts that have been let in by guest/rt/irq.h may come at any time, or not. */
static inline void interrupts_on(void)
{
	__asm__ volatile("csrsi sstatus, 2" : : : "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("csrci sstatus, 2" : : : "memory");
}

/* Change a register of the FPU, which is switched on: sstatus.FS. */
static inline void use_fp(void)
{
	__asm__ volatile("csrs sstatus, %0\n\t"
			 ".option push\n\t"
			 ".option arch, +d\n\t"
			 "fmv.d.x ft0, zero\n\t"
			 ".option pop"
			 :
			 : "r"(0x6000));
}

#endif
