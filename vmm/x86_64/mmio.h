/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads and stores that reach a device in memory. */
#ifndef NESTLING_VMM_X86_64_MMIO_H
#define NESTLING_VMM_X86_64_MMIO_H

#include <stdbool.h>
#include <stddef.h>

#include "include/types.h"

#define CODE_MAX 15 /* bytes of an instruction */

/* A move of 32 bits between a device and the processor. */
struct mmio_insn {
	uint8_t length; /* of the instruction */
	uint8_t gpr;
	bool write, immediate;
	uint32_t value; /* the immediate */
};

/*
 * Read a move of 32 bits between a register, or an immediate, and memory from `count` bytes of code of a segment of `bits`. False:
 * it is none, or not whole.
 */
bool mmio_decode(const uint8_t *code, size_t count, unsigned bits, struct mmio_insn *insn);

#endif
