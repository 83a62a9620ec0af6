/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves to and from a device in memory, read from the guest's code: neither vendor's exit says what it was that faulted. Source of
 * the encodings: Intel SDM vol. 2 "Instruction Format", "MOV-Move", "MOVZX", "MOVSX/MOVSXD", "Opcode Map".
 */
#include "vmm/x86_64/mmio.h"

#define PREFIX_OPERAND 0x66
#define PREFIX_ADDRESS 0x67

#define REX_W 8
#define REX_R 4

#define TWO_BYTES 0x0f /* the opcode's second byte says what it is */

/* The even ones of these are of bytes. */
enum {
	MOV_STORE = 0x88,
	MOV_LOAD = 0x8a,
	MOV_LOAD_RAX = 0xa0,
	MOV_STORE_RAX = 0xa2,
	MOV_IMMEDIATE = 0xc6,
	MOVSXD = 0x63,
	MOVZX = 0xb6, /* behind TWO_BYTES; the odd ones are of 16 bits */
	MOVSX = 0xbe,
};

/* The bytes of code, how many have been read, and what the prefixes among them say. */
struct decoder {
	const uint8_t *code;
	size_t count, at;
	unsigned bits;         /* of the code segment: 16, 32, 64 */
	unsigned address_bits; /* of the instruction's addresses */
	bool operand_prefix;
	uint8_t rex; /* 0: there is none */
};

static bool next(struct decoder *decoder, uint8_t *byte)
{
	if (decoder->at == decoder->count)
		return false;
	*byte = decoder->code[decoder->at++];
	return true;
}

static bool is_segment_override(uint8_t byte)
{
	return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x64 || byte == 0x65;
}

/* Read the prefixes and the opcode behind them. A REX prefix counts if the opcode follows it. */
static bool read_opcode(struct decoder *decoder, uint8_t *opcode)
{
	while (next(decoder, opcode)) {
		if (decoder->bits == 64 && (*opcode & 0xf0) == 0x40) {
			decoder->rex = *opcode;
			return next(decoder, opcode);
		}
		if (*opcode == PREFIX_OPERAND)
			decoder->operand_prefix = true;
		else if (*opcode == PREFIX_ADDRESS)
			decoder->address_bits = decoder->bits == 32 ? 16 : 32;
		else if (!is_segment_override(*opcode))
			return true;
	}
	return false;
}

/* How many bytes of the address follow the ModRM byte. SDM vol. 2 "Addressing-Mode Encoding of ModR/M and SIB Bytes". */
static bool address_length(struct decoder *decoder, uint8_t modrm, size_t *length)
{
	unsigned mod = modrm >> 6, rm = modrm & 7, wide = decoder->address_bits == 16 ? 2 : 4;
	uint8_t sib = 0;

	if (mod == 3)
		return false;
	if (wide == 4 && rm == 4) {
		if (!next(decoder, &sib))
			return false;
		rm = sib & 7;
	}
	*length = mod == 1 ? 1 : mod == 2 ? wide : 0;
	if (mod == 0 && rm == (wide == 2 ? 6 : 5))
		*length = wide;
	return true;
}

static bool skip(struct decoder *decoder, size_t length)
{
	if (length > decoder->count - decoder->at)
		return false;
	decoder->at += length;
	return true;
}

static unsigned operand_size(const struct decoder *decoder)
{
	if (decoder->rex & REX_W)
		return 8;
	return decoder->operand_prefix != (decoder->bits == 16) ? 2 : 4;
}

/* Of 64 bits, 32 are in the instruction, and their sign fills the rest. */
static bool read_immediate(struct decoder *decoder, unsigned size, uint64_t *value)
{
	unsigned bytes = size == 8 ? 4 : size;

	if (!skip(decoder, bytes))
		return false;
	*value = 0;
	__builtin_memcpy(value, decoder->code + decoder->at - bytes, bytes);
	if (size == 8)
		*value = (uint64_t)(int64_t)(int32_t)*value;
	return true;
}

/* Without a REX prefix, the registers 4 to 7 of a byte are the upper halves of 0 to 3. */
static void set_register(const struct decoder *decoder, unsigned number, unsigned size, struct mmio_insn *insn)
{
	insn->high = size == 1 && !decoder->rex && number >= 4;
	insn->gpr = (uint8_t)(insn->high ? number - 4 : number | (decoder->rex & REX_R ? 8 : 0));
}

/* A register or an immediate in an instruction with a ModRM byte; `register_size` is the register's. */
static bool read_operands(struct decoder *decoder, unsigned register_size, struct mmio_insn *insn)
{
	uint8_t modrm;
	size_t length;

	if (!next(decoder, &modrm) || !address_length(decoder, modrm, &length) || !skip(decoder, length))
		return false;
	if (!insn->immediate)
		set_register(decoder, modrm >> 3 & 7, register_size, insn);
	/* Other values of these three bits are no instruction. */
	return !insn->immediate || ((modrm >> 3 & 7) == 0 && read_immediate(decoder, insn->size, &insn->value));
}

/* Loads that make more of what they load. */
static bool read_widening(struct decoder *decoder, uint8_t opcode, struct mmio_insn *insn)
{
	insn->to = (uint8_t)operand_size(decoder);
	if (opcode == MOVSXD) {
		insn->size = 4;
		insn->is_signed = true;
		return decoder->bits == 64 && insn->to == 8 && read_operands(decoder, 8, insn);
	}
	if (!next(decoder, &opcode) || ((opcode & ~1) != MOVZX && (opcode & ~1) != MOVSX))
		return false;
	insn->size = opcode & 1 ? 2 : 1;
	insn->is_signed = (opcode & ~1) == MOVSX;
	return read_operands(decoder, 8, insn);
}

static bool read_move(struct decoder *decoder, uint8_t opcode, struct mmio_insn *insn)
{
	if (opcode == TWO_BYTES || opcode == MOVSXD)
		return read_widening(decoder, opcode, insn);
	insn->size = insn->to = (uint8_t)(opcode & 1 ? operand_size(decoder) : 1);
	switch (opcode & ~1) {
	case MOV_STORE_RAX:
		insn->write = true;
		return skip(decoder, decoder->address_bits / 8);
	case MOV_LOAD_RAX:
		return skip(decoder, decoder->address_bits / 8);
	case MOV_IMMEDIATE:
		insn->immediate = true;
		insn->write = true;
		return read_operands(decoder, insn->size, insn);
	case MOV_STORE:
		insn->write = true;
		return read_operands(decoder, insn->size, insn);
	case MOV_LOAD:
		return read_operands(decoder, insn->size, insn);
	}
	return false;
}

bool mmio_decode(const uint8_t *code, size_t count, unsigned bits, struct mmio_insn *insn)
{
	struct decoder decoder = { .code = code, .count = count, .bits = bits, .address_bits = bits };
	uint8_t opcode;

	*insn = (struct mmio_insn){ 0 };
	if (!read_opcode(&decoder, &opcode) || !read_move(&decoder, opcode, insn))
		return false;
	insn->length = (uint8_t)decoder.at;
	return true;
}

static uint64_t low_bytes(uint64_t value, unsigned bytes)
{
	return value & ~UINT64_C(0) >> (64 - 8 * bytes);
}

uint64_t mmio_stored(const struct mmio_insn *insn, uint64_t gpr)
{
	return low_bytes(insn->immediate ? insn->value : gpr >> (insn->high ? 8 : 0), insn->size);
}

/* 32 bits clear the upper half of a register, fewer leave the rest alone. */
uint64_t mmio_loaded(const struct mmio_insn *insn, uint64_t gpr, uint64_t value)
{
	unsigned shift = insn->high ? 8 : 0, bits = 8 * insn->size;
	uint64_t mask = low_bytes(~UINT64_C(0), insn->to) << shift;

	value = low_bytes(value, insn->size);
	if (insn->is_signed && value >> (bits - 1))
		value |= ~UINT64_C(0) << (bits - 1);
	value = low_bytes(value, insn->to) << shift;
	return insn->to >= 4 ? value : (gpr & ~mask) | value;
}
