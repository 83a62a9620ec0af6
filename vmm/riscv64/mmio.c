/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores that reach a device, decoded.
 * Source: RISC-V Unprivileged, "RV32I Base Integer Instruction Set", "RV64I", "C Extension for Compressed Instructions", "Zcb";
 * RISC-V Privileged, "Transformed Instruction or Pseudoinstruction for mtinst or htinst".
 */
#include "vmm/riscv64/riscv.h"

#define OPCODE(insn)      ((insn)&0x7f)
#define FUNCT3(insn)      ((insn) >> 12 & 7)
#define RD(insn)          ((insn) >> 7 & 31)
#define RS2(insn)         ((insn) >> 20 & 31)
#define ADDR_OFFSET(insn) ((insn) >> 15 & 31) /* of a transformed instruction, where rs1 was */
#define OPCODE_LOAD       0x03
#define OPCODE_STORE      0x23

/* Compressed: quadrant and funct3 in one number, the registers of three bits, and those of five. */
#define C_OP(insn)       (((insn)&3) << 3 | ((insn) >> 13 & 7))
#define C_RD_SHORT(insn) (8 + ((insn) >> 2 & 7))
#define C_RS2(insn)      ((insn) >> 2 & 31)
enum {
	C_LW = 0 << 3 | 2,
	C_LD = 0 << 3 | 3,
	C_ZCB = 0 << 3 | 4,
	C_SW = 0 << 3 | 6,
	C_SD = 0 << 3 | 7,
	C_LWSP = 2 << 3 | 2,
	C_LDSP = 2 << 3 | 3,
	C_SWSP = 2 << 3 | 6,
	C_SDSP = 2 << 3 | 7,
};

static bool set(struct access_insn *access, unsigned size, bool write, bool sign, unsigned gpr)
{
	access->size = (uint8_t)size;
	access->write = write;
	access->sign = sign;
	access->gpr = (uint8_t)gpr;
	return true;
}

/* funct3: the size as a power of two in the low bits; for loads, 4 says "unsigned". */
static bool decode_full(uint32_t insn, struct access_insn *access)
{
	unsigned funct3 = FUNCT3(insn), size = 1u << (funct3 & 3);

	if (OPCODE(insn) == OPCODE_LOAD && funct3 != 7)
		return set(access, size, false, !(funct3 & 4), RD(insn));
	if (OPCODE(insn) == OPCODE_STORE && funct3 <= 3)
		return set(access, size, true, false, RS2(insn));
	return false;
}

/* Zcb: bits 12:10 pick the instruction, bit 6 distinguishes c.lh from c.lhu. */
static bool decode_zcb(uint32_t insn, struct access_insn *access)
{
	unsigned gpr = C_RD_SHORT(insn);
	bool bit6 = insn & 0x40;

	switch (insn >> 10 & 7) {
	case 0: /* c.lbu */
		return set(access, 1, false, false, gpr);
	case 1: /* c.lhu, c.lh */
		return set(access, 2, false, bit6, gpr);
	case 2: /* c.sb */
		return set(access, 1, true, false, gpr);
	case 3: /* c.sh */
		return !bit6 && set(access, 2, true, false, gpr);
	default:
		return false;
	}
}

static bool decode_compressed(uint32_t insn, struct access_insn *access)
{
	switch (C_OP(insn)) {
	case C_LW:
		return set(access, 4, false, true, C_RD_SHORT(insn));
	case C_LD:
		return set(access, 8, false, true, C_RD_SHORT(insn));
	case C_SW:
		return set(access, 4, true, false, C_RD_SHORT(insn));
	case C_SD:
		return set(access, 8, true, false, C_RD_SHORT(insn));
	case C_ZCB:
		return decode_zcb(insn, access);
	case C_LWSP:
		return RD(insn) != 0 && set(access, 4, false, true, RD(insn));
	case C_LDSP:
		return RD(insn) != 0 && set(access, 8, false, true, RD(insn));
	case C_SWSP:
		return set(access, 4, true, false, C_RS2(insn));
	case C_SDSP:
		return set(access, 8, true, false, C_RS2(insn));
	default:
		return false;
	}
}

/*
 * htinst is 0, or the instruction as if it were 32 bits wide, bit 1 clear if it is not; other values with bit 0 clear are
 * pseudoinstructions or the hart's own. An access that has already reached into a second page is not taken apart.
 */
bool mmio_decode(const struct vcpu_arch *arch, struct access_insn *access)
{
	uint32_t insn = (uint32_t)arch->htinst;

	if (insn & 1) {
		access->length = insn & 2 ? 4 : 2;
		return ADDR_OFFSET(insn) == 0 && decode_full(insn | 2, access);
	}
	if (!guest_fetch(arch->pc, &insn))
		return false;
	access->length = (insn & 3) == 3 ? 4 : 2;
	return access->length == 4 ? decode_full(insn, access) : decode_compressed(insn, access);
}
