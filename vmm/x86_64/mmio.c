/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves of 32 bits to and from a device in memory, read from the guest's code: neither vendor's exit says what it was that
 * faulted. That is how registers of a local APIC are accessed (Intel SDM vol. 3 "Local APIC Registers": 32-bit loads and
 * stores). Source of the encodings: SDM vol. 2 "Instruction Format", "MOV-Move".
 */
#include "vmm/x86_64/mmio.h"

#define PREFIX_OPERAND 0x66
#define PREFIX_ADDRESS 0x67

#define REX_W 8
#define REX_R 4

enum { MOV_STORE = 0x89, MOV_LOAD = 0x8b, MOV_LOAD_RAX = 0xa1, MOV_STORE_RAX = 0xa3, MOV_IMMEDIATE = 0xc7 };

/* The bytes of code, how many have been read, and what the prefixes among them say. */
struct decoder {
	const uint8_t *code;
	size_t count, at;
	unsigned bits;         /* of the code segment: 16, 32, 64 */
	unsigned address_bits; /* of the instruction's addresses */
	bool operand_prefix;
	uint8_t rex;
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

static bool read_immediate(struct decoder *decoder, uint32_t *value)
{
	if (!skip(decoder, sizeof(*value)))
		return false;
	__builtin_memcpy(value, decoder->code + decoder->at - sizeof(*value), sizeof(*value));
	return true;
}

static bool read_operands(struct decoder *decoder, uint8_t opcode, struct mmio_insn *insn)
{
	uint8_t modrm;
	size_t length;

	insn->write = opcode != MOV_LOAD && opcode != MOV_LOAD_RAX;
	if (opcode == MOV_LOAD_RAX || opcode == MOV_STORE_RAX) {
		insn->gpr = 0; /* RAX */
		return skip(decoder, decoder->address_bits / 8);
	}
	if (opcode != MOV_STORE && opcode != MOV_LOAD && opcode != MOV_IMMEDIATE)
		return false;
	if (!next(decoder, &modrm) || !address_length(decoder, modrm, &length) || !skip(decoder, length))
		return false;
	insn->gpr = (uint8_t)((modrm >> 3 & 7) | (decoder->rex & REX_R ? 8 : 0));
	insn->immediate = opcode == MOV_IMMEDIATE;
	/* Other values of these three bits are no instruction. */
	return !insn->immediate || ((modrm >> 3 & 7) == 0 && read_immediate(decoder, &insn->value));
}

bool mmio_decode(const uint8_t *code, size_t count, unsigned bits, struct mmio_insn *insn)
{
	struct decoder decoder = { .code = code, .count = count, .bits = bits, .address_bits = bits };
	uint8_t opcode;

	*insn = (struct mmio_insn){ 0 };
	if (!read_opcode(&decoder, &opcode))
		return false;
	/* 32 bits are what 16-bit code needs a prefix for, and other code none. */
	if (decoder.rex & REX_W || decoder.operand_prefix != (bits == 16) || !read_operands(&decoder, opcode, insn))
		return false;
	insn->length = (uint8_t)decoder.at;
	return true;
}
