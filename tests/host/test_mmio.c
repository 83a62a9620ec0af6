/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: moves to and from a device, read from code. The encodings are GNU as's. */
#include "vmm/x86_64/mmio.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *text;
	unsigned bits;
	uint8_t length;
	uint8_t code[CODE_MAX];
	struct mmio_insn insn; /* apart from the length */
} moves[] = {
	{ "mov %eax,(%rdx)", 64, 2, { 0x89, 0x02 }, { .gpr = 0, .write = true } },
	{ "mov %r9d,0xb0(%rdx)", 64, 7, { 0x44, 0x89, 0x8a, 0xb0, 0, 0, 0 }, { .gpr = 9, .write = true } },
	{ "mov %edi,0x10(%rsp,%r12,4)", 64, 5, { 0x42, 0x89, 0x7c, 0xa4, 0x10 }, { .gpr = 7, .write = true } },
	{ "mov 0xfee00020,%eax", 64, 7, { 0x8b, 0x04, 0x25, 0x20, 0, 0xe0, 0xfe }, { .gpr = 0 } },
	{ "mov 0x20(%rip),%r15d", 64, 7, { 0x44, 0x8b, 0x3d, 0x20, 0, 0, 0 }, { .gpr = 15 } },
	{ "mov %r13d,0(%r13)", 64, 4, { 0x45, 0x89, 0x6d, 0x00 }, { .gpr = 13, .write = true } },
	{ "mov %gs:(%esi),%esp", 64, 4, { 0x65, 0x67, 0x8b, 0x26 }, { .gpr = 4 } },
	{ "movl $0x12345678,0x300(%rax)",
	  64,
	  10,
	  { 0xc7, 0x80, 0, 3, 0, 0, 0x78, 0x56, 0x34, 0x12 },
	  { .write = true, .immediate = true, .value = 0x12345678 } },
	{ "movabs 0xfee00020,%eax", 64, 9, { 0xa1, 0x20, 0, 0xe0, 0xfe, 0, 0, 0, 0 }, { .gpr = 0 } },
	{ "movabs %eax,0xfee00020, 32-bit address", 64, 6, { 0x67, 0xa3, 0x20, 0, 0xe0, 0xfe }, { .gpr = 0, .write = true } },
	{ "mov %eax,0xfee00300", 32, 5, { 0xa3, 0, 3, 0xe0, 0xfe }, { .gpr = 0, .write = true } },
	{ "mov 0xfee00020,%ebx", 32, 6, { 0x8b, 0x1d, 0x20, 0, 0xe0, 0xfe }, { .gpr = 3 } },
	{ "mov 0x10(%ebp,%ecx,8),%esi", 32, 4, { 0x8b, 0x74, 0xcd, 0x10 }, { .gpr = 6 } },
	{ "mov (%bp,%di),%edx", 32, 3, { 0x67, 0x8b, 0x13 }, { .gpr = 2 } },
	{ "movl $1,%fs:(,%eax,4)",
	  32,
	  12,
	  { 0x64, 0xc7, 0x04, 0x85, 0, 0, 0, 0, 1, 0, 0, 0 },
	  { .write = true, .immediate = true, .value = 1 } },
	{ "movl %eax,(%bx)", 16, 3, { 0x66, 0x89, 0x07 }, { .gpr = 0, .write = true } },
	{ "movl 0x1234,%ecx", 16, 5, { 0x66, 0x8b, 0x0e, 0x34, 0x12 }, { .gpr = 1 } },
	{ "movl 0x1234(%si),%ecx", 16, 5, { 0x66, 0x8b, 0x8c, 0x34, 0x12 }, { .gpr = 1 } },
	{ "movl %eax,0x1234", 16, 4, { 0x66, 0xa3, 0x34, 0x12 }, { .gpr = 0, .write = true } },
	{ "movl %eax,(%edi)", 16, 4, { 0x67, 0x66, 0x89, 0x07 }, { .gpr = 0, .write = true } },
};

/* What is moved, of other sizes; and what a load of 0x8182838485868788 makes of a register that was 0x1111111111111111. */
static const struct {
	const char *text;
	unsigned bits;
	uint8_t length;
	uint8_t code[CODE_MAX];
	struct mmio_insn insn;
	uint64_t loaded;
} sized[] = {
	{ "mov %rax,(%rdx)", 64, 3, { 0x48, 0x89, 0x02 }, { .size = 8, .gpr = 0, .write = true }, 0 },
	{ "mov %ax,(%rdx)", 64, 3, { 0x66, 0x89, 0x02 }, { .size = 2, .gpr = 0, .write = true }, 0 },
	{ "mov %al,(%rdx)", 64, 2, { 0x88, 0x02 }, { .size = 1, .gpr = 0, .write = true }, 0 },
	{ "mov %bh,(%rdx)", 64, 2, { 0x88, 0x3a }, { .size = 1, .gpr = 3, .write = true, .high = true }, 0 },
	{ "mov %dil,(%rdx)", 64, 3, { 0x40, 0x88, 0x3a }, { .size = 1, .gpr = 7, .write = true }, 0 },
	{ "mov %r12b,(%rdx)", 64, 3, { 0x44, 0x88, 0x22 }, { .size = 1, .gpr = 12, .write = true }, 0 },
	{ "mov %ax,(%bx)", 16, 2, { 0x89, 0x07 }, { .size = 2, .gpr = 0, .write = true }, 0 },
	{ "movw $0x1234,(%rdx)",
	  64,
	  5,
	  { 0x66, 0xc7, 0x02, 0x34, 0x12 },
	  { .size = 2, .write = true, .immediate = true, .value = 0x1234 },
	  0 },
	{ "movb $0x80,(%rdx)", 64, 3, { 0xc6, 0x02, 0x80 }, { .size = 1, .write = true, .immediate = true, .value = 0x80 }, 0 },
	{ "movq $-2,(%rdx)",
	  64,
	  7,
	  { 0x48, 0xc7, 0x02, 0xfe, 0xff, 0xff, 0xff },
	  { .size = 8, .write = true, .immediate = true, .value = UINT64_C(0xfffffffffffffffe) },
	  0 },
	{ "movabs %al,0x10", 32, 5, { 0xa2, 0x10, 0, 0, 0 }, { .size = 1, .gpr = 0, .write = true }, 0 },
	{ "mov (%rdx),%rcx", 64, 3, { 0x48, 0x8b, 0x0a }, { .size = 8, .gpr = 1 }, UINT64_C(0x8182838485868788) },
	{ "mov (%rdx),%ecx", 64, 2, { 0x8b, 0x0a }, { .size = 4, .gpr = 1 }, 0x85868788 },
	{ "mov (%rdx),%cx", 64, 3, { 0x66, 0x8b, 0x0a }, { .size = 2, .gpr = 1 }, UINT64_C(0x1111111111118788) },
	{ "mov (%rdx),%cl", 64, 2, { 0x8a, 0x0a }, { .size = 1, .gpr = 1 }, UINT64_C(0x1111111111111188) },
	{ "mov (%rdx),%ch", 64, 2, { 0x8a, 0x2a }, { .size = 1, .gpr = 1, .high = true }, UINT64_C(0x1111111111118811) },
	{ "movzbl (%rdx),%ecx", 64, 3, { 0x0f, 0xb6, 0x0a }, { .size = 1, .gpr = 1 }, 0x88 },
	{ "movzbw (%rdx),%si", 64, 4, { 0x66, 0x0f, 0xb6, 0x32 }, { .size = 1, .gpr = 6 }, UINT64_C(0x1111111111110088) },
	{ "movzwq (%rdx),%r9", 64, 4, { 0x4c, 0x0f, 0xb7, 0x0a }, { .size = 2, .gpr = 9 }, 0x8788 },
	{ "movsbl (%rdx),%ecx", 64, 3, { 0x0f, 0xbe, 0x0a }, { .size = 1, .gpr = 1 }, 0xffffff88 },
	{ "movsbq (%rdx),%rcx", 64, 4, { 0x48, 0x0f, 0xbe, 0x0a }, { .size = 1, .gpr = 1 }, UINT64_C(0xffffffffffffff88) },
	{ "movswl (%edx),%esp", 32, 3, { 0x0f, 0xbf, 0x22 }, { .size = 2, .gpr = 4 }, 0xffff8788 },
	{ "movslq (%rdx),%rcx", 64, 3, { 0x48, 0x63, 0x0a }, { .size = 4, .gpr = 1 }, UINT64_C(0xffffffff85868788) },
};

static const struct {
	const char *text;
	unsigned bits;
	uint8_t code[CODE_MAX];
} others[] = {
	{ "mov %eax,%edx", 64, { 0x89, 0xc2 } },
	{ "add %eax,(%rdx)", 64, { 0x01, 0x02 } },
	{ "xchg %eax,(%rdx)", 64, { 0x87, 0x02 } },
	{ "mov (%rdx), a prefix behind REX", 64, { 0x44, 0x67, 0x8b, 0x02 } },
	{ "xabort", 64, { 0xc7, 0xf8, 0, 0, 0, 0 } },
	{ "c7 /1", 64, { 0xc7, 0x08, 0, 0, 0, 0 } },
	{ "lock mov", 64, { 0xf0, 0x89, 0x02 } },
	{ "inc %esp; mov", 32, { 0x44, 0x89, 0x02 } },
	{ "movsxd without REX.W", 64, { 0x63, 0x02 } },
	{ "arpl", 32, { 0x63, 0x02 } },
	{ "cmpxchg", 64, { 0x0f, 0xb1, 0x02 } },
	{ "movzx %al,%eax", 64, { 0x0f, 0xb6, 0xc0 } },
	{ "prefixes only", 64, { 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26 } },
};

/* In a block of just that size, so that a sanitizer sees what is read behind it. */
static bool decode(const uint8_t *code, size_t count, unsigned bits, struct mmio_insn *insn)
{
	uint8_t *copy = malloc(count);
	bool is_move;

	memcpy(copy, code, count);
	is_move = mmio_decode(copy, count, bits, insn);
	free(copy);
	return is_move;
}

static void says_what_moves_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		struct mmio_insn insn, wanted = moves[i].insn;

		print_message("%s\n", moves[i].text);
		assert_true(decode(moves[i].code, CODE_MAX, moves[i].bits, &insn));
		assert_int_equal(insn.length, moves[i].length);
		assert_int_equal(insn.write, wanted.write);
		assert_int_equal(insn.immediate, wanted.immediate);
		assert_int_equal(insn.immediate ? insn.value : insn.gpr, wanted.immediate ? wanted.value : wanted.gpr);
		assert_true(decode(moves[i].code, moves[i].length, moves[i].bits, &insn));
		for (size_t count = 1; count < moves[i].length; count++)
			assert_false(decode(moves[i].code, count, moves[i].bits, &insn));
	}
}

static void all_sizes_are_moved(void **state)
{
	const uint64_t memory = UINT64_C(0x8182838485868788), before = UINT64_C(0x1111111111111111);

	(void)state;
	for (size_t i = 0; i < sizeof(sized) / sizeof(sized[0]); i++) {
		struct mmio_insn insn, wanted = sized[i].insn;
		uint64_t stored;

		print_message("%s\n", sized[i].text);
		assert_true(decode(sized[i].code, CODE_MAX, sized[i].bits, &insn));
		assert_int_equal(insn.length, sized[i].length);
		assert_int_equal(insn.size, wanted.size);
		assert_int_equal(insn.write, wanted.write);
		assert_int_equal(insn.immediate, wanted.immediate);
		if (!insn.immediate)
			assert_true(insn.gpr == wanted.gpr && insn.high == wanted.high);
		stored = mmio_stored(&insn, memory);
		if (insn.write)
			assert_true(stored == ((insn.immediate ? wanted.value :
						insn.high      ? memory >> 8 :
								 memory) &
					       ~UINT64_C(0) >> (64 - 8 * insn.size)));
		else
			assert_true(mmio_loaded(&insn, before, memory) == sized[i].loaded);
		for (size_t count = 1; count < sized[i].length; count++)
			assert_false(decode(sized[i].code, count, sized[i].bits, &insn));
	}
}

static void leaves_the_rest_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct mmio_insn insn;

		print_message("%s\n", others[i].text);
		assert_false(decode(others[i].code, CODE_MAX, others[i].bits, &insn));
	}
}

static void takes_any_bytes(void **state)
{
	static const unsigned bits[] = { 16, 32, 64 };
	struct mmio_insn insn;
	uint8_t code[CODE_MAX];

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 1000000; i++) {
		size_t count = 1 + (unsigned)rand() % CODE_MAX;

		for (size_t j = 0; j < count; j++)
			code[j] = (uint8_t)rand();
		code[(unsigned)rand() % 3 % count] =
			(const uint8_t[]){ 0x89, 0x8b, 0xa1, 0xa3, 0xc7, 0x88, 0x0f, 0x63, 0xc6 }[rand() % 9];
		if (decode(code, count, bits[i % 3], &insn))
			assert_in_range(insn.length, 2, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_moves_where),
		cmocka_unit_test(all_sizes_are_moved),
		cmocka_unit_test(leaves_the_rest_alone),
		cmocka_unit_test(takes_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
