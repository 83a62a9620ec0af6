/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads and stores that reach a device in memory. */
#ifndef NESTLING_VMM_X86_64_MMIO_H
#define NESTLING_VMM_X86_64_MMIO_H

#include <stdbool.h>
#include <stddef.h>

#include "include/types.h"

#define CODE_MAX 15 /* bytes of an instruction */

/* A move between a device and the processor. */
struct mmio_insn {
	uint8_t length; /* of the instruction */
	uint8_t size;   /* bytes that are accessed: 1, 2, 4, 8 */
	uint8_t gpr;
	uint8_t to; /* of a load: bytes of the register that are written */
	bool write, immediate;
	bool high;      /* bits 15 to 8 of the register: AH, CH, DH, BH */
	bool is_signed; /* of a load that widens: the sign fills the rest */
	uint64_t value; /* the immediate */
};

/*
 * Read a move between a register, or an immediate, and memory from `count` bytes of code of a segment of `bits`: MOV, MOVZX, MOVSX,
 * MOVSXD. False: it is none, or not whole.
 */
bool mmio_decode(const uint8_t *code, size_t count, unsigned bits, struct mmio_insn *insn);

/* What a store takes out of the register's value; what a load that got `value` makes of the register. */
uint64_t mmio_stored(const struct mmio_insn *insn, uint64_t gpr);
uint64_t mmio_loaded(const struct mmio_insn *insn, uint64_t gpr, uint64_t value);

#endif
