/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads and stores that reach a device in memory. */
#ifndef NESTLING_VMM_X86_64_MMIO_H
#define NESTLING_VMM_X86_64_MMIO_H

#include <stdbool.h>
#include <stddef.h>

#include "include/types.h"
#include "npt/pages.h"
#include "vmm/devices/device.h"

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
 * A walk of the guest's tables to a page of its code, each of whose entries is read again before it is relied upon:
 * vmm/x86_64/guest_walk.c. `levels` is 0: none.
 */
#define WALK_LEVELS 4
struct walk_step {
	struct npt_spot spot;  /* how the entry's own address is translated */
	const uint64_t *entry; /* where it is */
	uint64_t value;
};
struct guest_paging {
	uint64_t cr0, cr3, cr4, efer; /* what says how a guest's page tables are read */
};
struct remembered_walk {
	uint64_t levels;
	uint64_t page; /* linear */
	struct guest_paging paging;
	uint64_t unlinked; /* of the first view's walk cache, then */
	struct npt_spot spot;
	const char *code; /* the page */
	struct walk_step step[WALK_LEVELS];
};

#define CODE_MAX 15 /* bytes of an instruction */
struct code {
	uint64_t words[2]; /* byte 15 is 0 */
};

/* One that has been decoded, and what it was decoded from. `count` is 0: none. */
struct mmio_decoded {
	struct mmio_insn insn;
	struct code code;
	uint8_t count; /* bytes of code */
	uint8_t bits;  /* of the code segment */
};

/*
 * Read a move between a register, or an immediate, and memory from `count` bytes of code of a segment of `bits`: MOV, MOVZX, MOVSX,
 * MOVSXD. False: it is none, or not whole.
 */
bool mmio_decode(const uint8_t *code, size_t count, unsigned bits, struct mmio_insn *insn);

/* What a store takes out of the register's value; what a load that got `value` makes of the register. */
uint64_t mmio_stored(const struct mmio_insn *insn, uint64_t gpr);
uint64_t mmio_loaded(const struct mmio_insn *insn, uint64_t gpr, uint64_t value);

/* The access to the guest-physical address `gpa` that the move is; `gpr` is the register's value. */
static inline void mmio_set_access(const struct mmio_insn *insn, uint64_t gpa, uint64_t gpr, struct io_access *io)
{
	*io = (struct io_access){
		.space = IO_MEMORY,
		.size = insn->size,
		.write = insn->write,
		.addr = gpa,
		.value = insn->write ? mmio_stored(insn, gpr) : 0,
	};
}

#endif
