/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86: moves to and from devices, read from code. Input: a byte that says what segment it is, and the code. It is none, or one that
 * lies in the bytes that are there, means the same without those behind it and with another segment override before it, and stores
 * and loads no more than it says.
 */
#include "vmm/x86_64/mmio.c"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void check_values(const struct mmio_insn *insn, uint64_t gpr, uint64_t value)
{
	uint64_t loaded = mmio_loaded(insn, gpr, value), kept = insn->to == 1 ? ~(UINT64_C(0xff) << (insn->high ? 8 : 0)) :
								insn->to == 2 ? ~UINT64_C(0xffff) :
										0;

	CHECK(insn->size == 8 || mmio_stored(insn, gpr) >> (8 * insn->size) == 0, "stores too much");
	if (insn->write)
		return;
	CHECK_EQ(loaded & kept, gpr & kept);
	CHECK(insn->to >= insn->size || insn->is_signed || insn->to == 2, "loads %u bytes into %u", insn->size, insn->to);
	CHECK(insn->to != 4 || loaded >> 32 == 0, "loads %#jx", (uintmax_t)loaded);
	if (insn->to == insn->size && !insn->high && insn->to != 8)
		CHECK_EQ(loaded & (BIT(8 * insn->size) - 1), value & (BIT(8 * insn->size) - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned bits[] = { 16, 32, 64, 64 };
	unsigned of = size > 0 ? bits[data[0] & 3] : 0;
	struct mmio_insn insn, other;
	uint8_t prefixed[CODE_MAX] = { 0x65 };
	uint8_t *code;

	if (size < 2)
		return 0;
	size = min_u64(size - 1, CODE_MAX);
	code = fuzz_copy(data + 1, size);
	if (mmio_decode(code, size, of, &insn)) {
		CHECK(insn.length >= 2 && insn.length <= size, "%u bytes of %zu", insn.length, size);
		CHECK(insn.size == 1 || insn.size == 2 || insn.size == 4 || (insn.size == 8 && of == 64), "size %u", insn.size);
		CHECK(insn.gpr < 16 && (of == 64 || insn.gpr < 8), "register %u", insn.gpr);
		CHECK(mmio_decode(code, insn.length, of, &other) && memcmp(&insn, &other, sizeof(insn)) == 0, "another one");
		CHECK(!mmio_decode(code, insn.length - 1, of, &other), "less is enough");
		if (insn.length < CODE_MAX) {
			memcpy(prefixed + 1, code, insn.length);
			CHECK(mmio_decode(prefixed, insn.length + 1, of, &other), "not with a prefix");
			other.length--;
			CHECK(memcmp(&insn, &other, sizeof(insn)) == 0, "another one with a prefix");
		}
		check_values(&insn, UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210));
		check_values(&insn, ~UINT64_C(0), UINT64_C(0x8080808080808080));
	}
	free(code);
	return 0;
}
