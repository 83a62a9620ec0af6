/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device registers in memory: each call is one access of exactly that width, in program order, by an instruction that does
 * nothing else. Where the device is emulated, whoever does that is told what the instruction is, but not of one that also
 * increments its address: Arm ARM DDI 0487, "ISS encoding for an exception from a Data Abort", ISV. KVM answers that with an abort.
 */
#ifndef NESTLING_MMIO_H
#define NESTLING_MMIO_H

#include <stdint.h>

/* So that the compiler knows of nothing that the access could be combined with. */
static inline uintptr_t mmio_address(uint64_t address)
{
	__asm__("" : "+r"(address));
	return address;
}

static inline uint8_t mmio_read8(uint64_t address)
{
	return *(const volatile uint8_t *)mmio_address(address);
}

static inline uint16_t mmio_read16(uint64_t address)
{
	return *(const volatile uint16_t *)mmio_address(address);
}

static inline uint32_t mmio_read32(uint64_t address)
{
	return *(const volatile uint32_t *)mmio_address(address);
}

static inline void mmio_write8(uint64_t address, uint8_t value)
{
	*(volatile uint8_t *)mmio_address(address) = value;
}

static inline void mmio_write16(uint64_t address, uint16_t value)
{
	*(volatile uint16_t *)mmio_address(address) = value;
}

static inline void mmio_write32(uint64_t address, uint32_t value)
{
	*(volatile uint32_t *)mmio_address(address) = value;
}

#endif
