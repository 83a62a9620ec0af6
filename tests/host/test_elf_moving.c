/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that may lie anywhere: where they are put, and their relocations. */
#include "tests/host/elf_program.h"

#include <string.h>

#include "tests/host/host.h"

/* A position-independent program: code at `base`, and what its dynamic section has. */
static uint64_t *const words = (uint64_t *)program.bytes;

static void make_moving(uint64_t base)
{
	memset(program.bytes, 0, sizeof(program.bytes));
	program.header.e_type = ET_DYN;
	program.header.e_phnum = 3;
	program.header.e_entry = base + 0x40;
	set_segment(0, base, 0, KIB(8), KIB(12));
	set_segment(1, base, KIB(4), 10 * sizeof(Elf64_Dyn), 10 * sizeof(Elf64_Dyn));
	program.segments[1].p_type = PT_DYNAMIC;
	set_segment(2, base + KIB(16), 0, 0, KIB(4));
	for (size_t i = 0; i < KIB(4) / sizeof(*words); i++)
		words[i] = 0x1000 + i;
}

static void set_tag(unsigned i, int64_t tag, uint64_t value)
{
	((Elf64_Dyn *)(program.bytes + KIB(4)))[i] = (Elf64_Dyn){ .d_tag = tag, .d_un.d_val = value };
}

static void set_rela(unsigned i, uint64_t offset, uint64_t info, uint64_t addend)
{
	((Elf64_Rela *)(program.bytes + KIB(5)))[i] = (Elf64_Rela){ offset, info, (int64_t)addend };
}

static void set_symbol(unsigned i, uint8_t binding, uint16_t section, uint64_t value)
{
	((Elf64_Sym *)(program.bytes + KIB(6)))[i] = (Elf64_Sym){
		.st_info = (uint8_t)(binding << 4 | STT_OBJECT),
		.st_shndx = section,
		.st_value = value,
	};
}

static void make_relocated(uint64_t base, unsigned relas, unsigned relrs)
{
	make_moving(base);
	set_tag(0, DT_RELA, base + KIB(5));
	set_tag(1, DT_RELASZ, relas * sizeof(Elf64_Rela));
	set_tag(2, DT_RELAENT, sizeof(Elf64_Rela));
	set_tag(3, DT_SYMTAB, base + KIB(6));
	set_tag(4, DT_SYMENT, sizeof(Elf64_Sym));
	set_tag(5, 36, base + KIB(7)); /* DT_RELR, DT_RELRSZ, DT_RELRENT */
	set_tag(6, 35, relrs * 8);
	set_tag(7, 37, 8);
}

static uint64_t word_at(uint64_t gpa)
{
	uint64_t word;

	CHECK_ERR(addr_space_read(&program_vm->as, GPA(gpa), &word, sizeof(word)), ERR_OK);
	return word;
}

static void what_may_move_is_moved_as_a_whole(void **state)
{
	(void)state;
	make_moving(0);
	expect_loaded(MIB(2) + 0x40); /* aligned, above the floor */
	CHECK_EQ(word_at(MIB(2) + 8), 0x1001);
	make_moving(KIB(4));
	expect_loaded(MIB(2) + KIB(4) + 0x40);
	make_moving(GIB(64) + KIB(4));
	expect_loaded(MIB(2) + KIB(4) + 0x40);
	make_moving(MIB(1) + KIB(4)); /* it may lie there */
	expect_loaded(MIB(1) + KIB(4) + 0x40);
	make_moving(0);
	program.segments[2].p_align = MIB(4);
	expect_loaded(MIB(4) + 0x40);
	make_moving(0);
	program.segments[2].p_align = 0; /* the same as 1 */
	expect_loaded(MIB(2) + 0x40);
	make_moving(0);
	program.segments[2].p_align = 24;
	expect_refused("aligned at no power of two", ERR_CORRUPT);
	make_moving(0);
	program.segments[2].p_align = BIT(63);
	expect_refused("aligned beyond RAM", ERR_RANGE);
	make_moving(0);
	program.segments[2].p_memsz = RAM_LOW;
	expect_refused("larger than RAM", ERR_RANGE);
	make_moving(0xffff800080000000);
	expect_refused("a kernel's virtual addresses", ERR_RANGE);
	make_moving(0);
	program.header.e_entry = 0;
	memcpy(program.bytes, ELFMAG, SELFMAG);
	program.segments[0].p_offset = 0;
	expect_refused("the entry is the header", ERR_UNSUPPORTED);
}

static void relocations_are_applied(void **state)
{
	const uint64_t base = KIB(4), at = MIB(2) + KIB(4), bias = MIB(2);

	(void)state;
	make_relocated(base, 6, 3);
	set_rela(0, base + 8, R_RISCV_RELATIVE, 0x123);
	set_rela(1, base + 17, R_RISCV_RELATIVE, -UINT64_C(1)); /* at any alignment */
	set_rela(2, base + 32, ELF64_R_INFO(1, R_RISCV_64), 5);
	set_rela(3, base + 40, ELF64_R_INFO(2, R_RISCV_64), 0);
	set_rela(4, base + 48, ELF64_R_INFO(3, R_RISCV_64), 7);
	set_rela(5, 0, R_RISCV_NONE, 0);
	set_symbol(1, STB_GLOBAL, 3, 0x40);
	set_symbol(3, STB_GLOBAL, SHN_ABS, 0x77);
	set_symbol(2, STB_WEAK, SHN_UNDEF, 0);
	words[KIB(7) / 8] = base + 0x80;
	words[KIB(7) / 8 + 1] = 1 | 1 << 1 | 1 << 3; /* the next word, and the third one */
	words[KIB(7) / 8 + 2] = 1 | BIT(63);         /* 63 words on, the last one */
	expect_loaded(at + 0x40);
	CHECK_EQ(word_at(at), 0x1000);
	CHECK_EQ(word_at(at + 8), bias + 0x123);
	CHECK_EQ(word_at(at + 17), bias - 1);
	CHECK_EQ(word_at(at + 32), bias + 0x40 + 5);
	CHECK_EQ(word_at(at + 40), 0);
	CHECK_EQ(word_at(at + 48), 0x77 + 7);
	CHECK_EQ(word_at(at + 0x80), bias + 0x1010);
	CHECK_EQ(word_at(at + 0x88), bias + 0x1011);
	CHECK_EQ(word_at(at + 0x90), 0x1012);
	CHECK_EQ(word_at(at + 0x98), bias + 0x1013);
	CHECK_EQ(word_at(at + 0x88 + (63 + 62) * 8), bias + 0x1011 + 63 + 62);
	/* ld writes ET_EXEC for a program that may move and was told where to be: its words are empty all the same. */
	make_relocated(MIB(3), 1, 0);
	program.header.e_type = ET_EXEC;
	set_rela(0, MIB(3) + 8, R_RISCV_RELATIVE, MIB(3) + 0x123);
	expect_loaded(MIB(3) + 0x40);
	CHECK_EQ(word_at(MIB(3) + 8), MIB(3) + 0x123);
}

static void relocations_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		const char *what;
		uint64_t offset, info;
		enum err err;
	} bad[] = {
		{ "for a byte in bss", KIB(8), R_RISCV_RELATIVE, ERR_CORRUPT },
		{ "across the end of the bytes", KIB(8) - 7, R_RISCV_RELATIVE, ERR_CORRUPT },
		{ "nowhere", GIB(5), R_RISCV_RELATIVE, ERR_CORRUPT },
		{ "at the end of all addresses", UINT64_MAX - 3, R_RISCV_RELATIVE, ERR_CORRUPT },
		{ "of another type", 8, R_RISCV_COPY, ERR_UNSUPPORTED },
		{ "of a type that is none", 8, UINT32_MAX, ERR_UNSUPPORTED },
		{ "for a symbol of a library", 8, ELF64_R_INFO(1, R_RISCV_64), ERR_UNSUPPORTED },
		{ "for a symbol that is not there", 8, ELF64_R_INFO(10000, R_RISCV_64), ERR_CORRUPT },
		{ "for the last symbol of all", 8, ELF64_R_INFO(UINT32_MAX, R_RISCV_64), ERR_CORRUPT },
	};
	static const struct {
		const char *what;
		unsigned tag;
		int64_t name;
		uint64_t value;
		enum err err;
	} tags[] = {
		{ "table nowhere", 0, DT_RELA, GIB(3), ERR_CORRUPT },
		{ "table across the end", 0, DT_RELA, KIB(8) - 8, ERR_CORRUPT },
		{ "table as large as all", 1, DT_RELASZ, UINT64_MAX - 23, ERR_CORRUPT },
		{ "other size", 2, DT_RELAENT, 16, ERR_CORRUPT },
		{ "symbols of another size", 4, DT_SYMENT, 16, ERR_CORRUPT },
		{ "RELR nowhere", 5, 36, GIB(3), ERR_CORRUPT },
		{ "RELR of another size", 7, 37, 4, ERR_CORRUPT },
		{ "a library", 8, DT_SONAME, 1, ERR_UNSUPPORTED },
		{ "needs a library", 8, DT_NEEDED, 1, ERR_UNSUPPORTED },
		{ "without addends", 8, DT_RELSZ, 16, ERR_UNSUPPORTED },
		{ "packed", 8, 0x60000011, 1, ERR_UNSUPPORTED },
	};
	static const uint64_t relr[][2] = { { 0x80, 0x78 }, { 0x80, 0x80 }, { UINT64_MAX - 7, 3 }, { 3, KIB(8) }, { KIB(8), 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		make_relocated(0, 2, 0);
		set_rela(0, 8, R_RISCV_RELATIVE, 1);
		set_rela(1, bad[i].offset, bad[i].info, 0);
		set_symbol(1, STB_GLOBAL, SHN_UNDEF, 0);
		expect_refused(bad[i].what, bad[i].err);
	}
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		make_relocated(0, 1, 1);
		set_rela(0, 8, R_RISCV_RELATIVE, 1);
		words[KIB(7) / 8] = 0x80;
		set_tag(tags[i].tag, tags[i].name, tags[i].value);
		expect_refused(tags[i].what, tags[i].err);
	}
	for (size_t i = 0; i < ARRAY_LEN(relr); i++) {
		make_relocated(0, 0, 2);
		memcpy(program.bytes + KIB(7), relr[i], sizeof(relr[i]));
		expect_refused("RELR that goes back or out", ERR_CORRUPT);
	}
	make_relocated(0, 0, 0);
	program.segments[1].p_filesz = KIB(13);
	expect_refused("dynamic section across the end", ERR_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_may_move_is_moved_as_a_whole),
		TEST(relocations_are_applied),
		TEST(relocations_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests_name("elf_moving", tests, NULL, NULL);
}
