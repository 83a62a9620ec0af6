/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest programs: what is loaded where, and that no file, however malformed, gets a byte beyond what it may. */
#include "tests/host/elf_program.h"

#include <string.h>

#include "tests/host/host.h"

static void segments_land_where_they_say(void **state)
{
	uint8_t back[KIB(12)];

	(void)state;
	expect_loaded(MIB(1) + 0x100);
	CHECK_EQ(resident(), KIB(4) * (3 + 2)); /* bss is not touched */
	CHECK_ERR(addr_space_read(&program_vm->as, GPA(MIB(1)), back, KIB(10)), ERR_OK);
	CHECK(memcmp(back, program.bytes, KIB(10)) == 0, "text");
	CHECK_ERR(addr_space_read(&program_vm->as, GPA(MIB(2) + 0x345), back, KIB(6)), ERR_OK);
	CHECK(memcmp(back, program.bytes + KIB(10), KIB(6)) == 0, "data");
	/* Zeros around it: bss after, and what was there before. */
	CHECK_ERR(addr_space_read(&program_vm->as, GPA(MIB(2) + 0x345 + KIB(6)), back, KIB(12)), ERR_OK);
	for (size_t i = 0; i < KIB(12); i++)
		CHECK_EQ(back[i], 0);
	CHECK_ERR(addr_space_read(&program_vm->as, GPA(MIB(2)), back, 0x345), ERR_OK);
	for (size_t i = 0; i < 0x345; i++)
		CHECK_EQ(back[i], 0);
}

static void the_entry_is_where_its_segment_is_put(void **state)
{
	(void)state;
	program.segments[0].p_vaddr = 0xffffffff80000000; /* linked high, loaded low */
	program.header.e_entry = 0xffffffff80000004;
	expect_loaded(MIB(1) + 4);
	make_program();
	program.header.e_entry = MIB(1) + KIB(10) - 1;
	expect_loaded(MIB(1) + KIB(10) - 1);
	program.header.e_entry = MIB(1) + KIB(10);
	expect_refused("entry one past its segment", ERR_CORRUPT);
	program.header.e_entry = MIB(1) - 1;
	expect_refused("entry one before its segment", ERR_CORRUPT);
	program.header.e_entry = 0;
	expect_refused("entry 0", ERR_CORRUPT);
	program.header.e_entry = UINT64_MAX;
	expect_refused("entry at the end of all addresses", ERR_CORRUPT);
}

/* As in Linux' vmlinux; but what is an address in a segment is one, and code goes before data. */
static void the_entry_may_be_physical(void **state)
{
	(void)state;
	program.segments[0].p_vaddr = 0xffffffff80000000;
	program.header.e_entry = MIB(1) + 0x10;
	expect_loaded(MIB(1) + 0x10);
	/* Data at virtual addresses that the physical entry is among, too. */
	make_program();
	program.segments[0].p_vaddr = 0xffffffff80000000;
	program.segments[2].p_vaddr = MIB(1);
	program.segments[2].p_flags = PF_R | PF_W;
	program.header.e_entry = MIB(1) + 0x10;
	expect_loaded(MIB(1) + 0x10);
	program.segments[2].p_flags = PF_R | PF_W | PF_X;
	expect_loaded(MIB(2) + 0x345 + 0x10);
	/* Files without flags were linked by somebody, too. */
	make_program();
	program.segments[0].p_flags = 0;
	expect_loaded(MIB(1) + 0x100);
	make_program();
	program.header.e_entry = RAM_HIGH;
	expect_refused("entry in bss", ERR_CORRUPT);
	program.header.e_entry = MIB(2) + 0x345 + KIB(6);
	expect_refused("entry behind the bytes of the file", ERR_CORRUPT);
}

/* Linkers write where the next byte would be, whether the file goes on or not. */
static void bss_alone_has_no_offset(void **state)
{
	static const uint64_t offsets[] = { 0, KIB(16), KIB(16) + 1, GIB(1), INT64_MAX, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		program.segments[3].p_offset = offsets[i];
		expect_loaded(MIB(1) + 0x100);
	}
}

/* A person can act on it: where it is, where it could be, and what makes it so. */
static void reasons_say_what_to_do(void **state)
{
	static const struct {
		uint64_t paddr, memsz;
		const char *words[3];
	} reasons[] = {
		{ 0x10000,
		  4,
		  { "segment 0 begins at 0x10000, where the boot data goes", "-Ttext-segment=0x200000 (ld)",
		    "--image-base=0x200000" } },
		{ GIB(1), 4, { "begins at 0x40000000", "outside guest RAM, 0 to 0x7fffff", "-Ttext-segment=0x200000" } },
		{ MIB(4), MIB(5), { "0x500000 bytes at 0x400000", "ends at 0x800000", "promise it more" } },
		{ 0xffffffff80000000, 4, { "0xffffffff80000000", "virtual address", "raw Image" } },
	};
	gpa_t entry;
	char why[ELF_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		make_program();
		set_segment(0, reasons[i].paddr, 0, 4, reasons[i].memsz);
		CHECK_ERR(load(program.size, &entry, why, sizeof(why)), ERR_RANGE);
		for (size_t word = 0; word < 3; word++)
			CHECK(strstr(why, reasons[i].words[word]), "\"%s\" is not in: %s", reasons[i].words[word], why);
	}
	make_program();
	program.header.e_machine = EM_AARCH64;
	CHECK_ERR(load(program.size, &entry, why, sizeof(why)), ERR_UNSUPPORTED);
	assert_string_equal(why, "it is for AArch64, and here is RISC-V");
}

static void every_truncation_is_refused(void **state)
{
	gpa_t entry;
	char why[ELF_WHY_MAX];

	(void)state;
	for (size_t size = 0; size < program.size; size += size < BYTES_AT ? 1 : 97)
		CHECK(load(size, &entry, why, sizeof(why)) == ERR_CORRUPT, "%zu bytes", size);
	CHECK(load(program.size - 1, &entry, why, sizeof(why)) == ERR_CORRUPT, "one byte less");
	CHECK_EQ(resident(), 0);
}

static void bad_headers_are_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SELFMAG; i++) {
		program.header.e_ident[i] ^= 0x20;
		expect_refused("magic", ERR_CORRUPT);
	}
	program.header.e_ident[EI_CLASS] = ELFCLASS32;
	expect_refused("32 bits", ERR_UNSUPPORTED);
	program.header.e_ident[EI_DATA] = ELFDATA2MSB;
	expect_refused("big-endian", ERR_UNSUPPORTED);
	program.header.e_machine = EM_386;
	expect_refused("another machine", ERR_UNSUPPORTED);
	program.header.e_type = ET_CORE;
	expect_refused("a core dump", ERR_UNSUPPORTED);
	program.header.e_type = ET_REL;
	expect_refused("an object file", ERR_UNSUPPORTED);
	program.header.e_phentsize = 32;
	expect_refused("program headers of another size", ERR_CORRUPT);
	program.header.e_phentsize = 0;
	expect_refused("program headers without size", ERR_CORRUPT);
	program.header.e_phnum = 0;
	expect_refused("no program header", ERR_CORRUPT);
	program.header.e_phnum = UINT16_MAX;
	expect_refused("more program headers than bytes", ERR_CORRUPT);
	program.header.e_phoff = program.size;
	expect_refused("program headers at the end", ERR_CORRUPT);
	program.header.e_phoff = program.size - sizeof(Elf64_Phdr) * 4 + 1;
	expect_refused("program headers across the end", ERR_CORRUPT);
	program.header.e_phoff = UINT64_MAX;
	expect_refused("program headers out of this world", ERR_CORRUPT);
	program.header.e_phoff = -sizeof(Elf64_Phdr) * 4;
	expect_refused("program headers that wrap around", ERR_CORRUPT);
	for (unsigned i = 0; i < 4; i++)
		program.segments[i].p_type = PT_NULL;
	expect_refused("nothing to load", ERR_CORRUPT);
}

struct bad_segment {
	const char *what;
	uint64_t paddr, offset, filesz, memsz;
	enum err err;
};

static const struct bad_segment bad_segments[] = {
	{ "more in the file than in memory", MIB(3), 0, KIB(4), KIB(4) - 1, ERR_CORRUPT },
	{ "bytes in the file, none in memory", MIB(3), 0, KIB(4), 0, ERR_CORRUPT },
	{ "across the end of the file", MIB(3), KIB(16) - 3, 4, 4, ERR_CORRUPT },
	{ "after the end of the file", MIB(3), KIB(17), 1, 1, ERR_CORRUPT },
	{ "offset out of this world", MIB(3), UINT64_MAX - BYTES_AT, 1, 1, ERR_CORRUPT },
	{ "offset and size that wrap around", MIB(3), 0x1000 - BYTES_AT, UINT64_MAX - 0xfff, UINT64_MAX - 0xfff, ERR_CORRUPT },
	{ "above all RAM", RAM_HIGH + HIGH_SIZE, 0, 4, 4, ERR_RANGE },
	{ "between two ranges of RAM", MIB(64), 0, 4, 4, ERR_RANGE },
	{ "across the end of RAM", RAM_LOW - KIB(4), 0, 4, KIB(4) + 1, ERR_RANGE },
	{ "across the end of the upper RAM", RAM_HIGH + HIGH_SIZE - 4, 0, 8, 8, ERR_RANGE },
	{ "from one range of RAM to the other", RAM_LOW - KIB(4), 0, 4, RAM_HIGH, ERR_RANGE },
	{ "larger than RAM", MIB(3), 0, 4, GIB(1), ERR_RANGE },
	{ "as large as all addresses", MIB(3), 0, 4, UINT64_MAX, ERR_RANGE },
	{ "wraps around to below itself", MIB(3), 0, 4, -MIB(1), ERR_RANGE },
	{ "at the end of all addresses", UINT64_MAX - 3, 0, 4, 8, ERR_RANGE },
	{ "in the boot data", FLOOR - 4, 0, 4, 4, ERR_RANGE },
	{ "into the floor", FLOOR - 4, 0, 4, KIB(4), ERR_RANGE },
	{ "at 0", 0, 0, 4, 4, ERR_RANGE },
	{ "the same as another", MIB(1), 0, KIB(10), KIB(10), ERR_CORRUPT },
	{ "the last byte of another", MIB(1) + KIB(10) - 1, 0, 4, 4, ERR_CORRUPT },
	{ "inside another", MIB(1) + KIB(4), 0, 4, 4, ERR_CORRUPT },
	{ "around another", MIB(1), 0, 4, MIB(6), ERR_CORRUPT },
	{ "over another's bss", MIB(2) + KIB(99), 0, 4, 4, ERR_CORRUPT },
};

/* In the first place, in the last, and in between. */
static void bad_segments_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_segments); i++) {
		const struct bad_segment *bad = &bad_segments[i];

		program.header.e_phnum = 5;
		set_segment(4, bad->paddr, bad->offset, bad->filesz, bad->memsz);
		expect_refused(bad->what, bad->err);
		program.header.e_phnum = 5;
		memmove(&program.segments[1], &program.segments[0], 4 * sizeof(program.segments[0]));
		set_segment(0, bad->paddr, bad->offset, bad->filesz, bad->memsz);
		expect_refused(bad->what, bad->err);
	}
}

static void borders_are_exact(void **state)
{
	(void)state;
	program.header.e_phnum = 7;
	set_segment(4, RAM_LOW - KIB(4), 0, KIB(4), KIB(4));              /* the last page of RAM */
	set_segment(5, RAM_HIGH + HIGH_SIZE - 4, KIB(16) - 4, 4, 4);      /* the last bytes of RAM and file */
	set_segment(6, MIB(1) + KIB(10), 0, 4, MIB(1) + 0x345 - KIB(10)); /* no gap to its neighbours */
	expect_loaded(MIB(1) + 0x100);
	/* Empty segments are nowhere, wherever they say they are. */
	make_program();
	program.header.e_phnum = 5;
	set_segment(4, GIB(99), UINT64_MAX / 2, 0, 0);
	expect_loaded(MIB(1) + 0x100);
	program.header.e_entry = GIB(99);
	expect_refused("entry in an empty segment", ERR_CORRUPT);
}

static void too_many_segments_are_refused(void **state)
{
	(void)state;
	program.header.e_phnum = ELF_MAX_SEGMENTS;
	for (unsigned i = 0; i < ELF_MAX_SEGMENTS; i++)
		set_segment(i, MIB(1) + i * KIB(4), 0, 4, 4);
	program.header.e_entry = MIB(1);
	expect_loaded(MIB(1));
	program.header.e_phnum = ELF_MAX_SEGMENTS + 1;
	set_segment(ELF_MAX_SEGMENTS, MIB(3), 0, 4, 4);
	expect_refused("one segment too many", ERR_UNSUPPORTED);
}

static void memory_may_run_out(void **state)
{
	gpa_t entry;
	char why[ELF_WHY_MAX];

	(void)state;
	ram_leave(&program_ram, 3);
	CHECK_ERR(load(program.size, &entry, why, sizeof(why)), ERR_NO_MEMORY);
	ram_release(&program_ram);
	expect_loaded(MIB(1) + 0x100);
}

static void reasons_are_cut(void **state)
{
	gpa_t entry;
	char why[16];

	(void)state;
	program.header.e_entry = 0;
	for (size_t room = 1; room <= sizeof(why); room++)
		CHECK_ERR(load(program.size, &entry, why, room), ERR_CORRUPT);
}

/* Some bytes of a good file turned to others: loaded within bounds, or refused. */
static void random_damage_does_no_harm(void **state)
{
	static const uint64_t words[] = { 0, 1, 4, KIB(4), MIB(1), MIB(2), RAM_LOW, RAM_HIGH, INT64_MAX, UINT64_MAX };
	struct host_rng rng = host_rng("elf", 64);
	unsigned steps = host_steps(4000), good = 0;

	(void)state;
	for (unsigned i = 0; i < steps; i++) {
		gpa_t entry;
		char why[ELF_WHY_MAX];
		enum err err;

		make_program();
		for (unsigned n = 1 + (unsigned)host_below(&rng, 3); n > 0; n--) {
			uint64_t *word = (uint64_t *)&program.segments[host_below(&rng, 4)] + host_below(&rng, 7);

			if (host_chance(&rng, 30))
				word = (uint64_t *)&program.header + host_below(&rng, 8);
			*word = host_chance(&rng, 50) ? words[host_below(&rng, ARRAY_LEN(words))] :
							*word ^ BIT(host_below(&rng, 64));
		}
		err = load(program.size, &entry, why, sizeof(why));
		CHECK(err == ERR_OK || err == ERR_CORRUPT || err == ERR_UNSUPPORTED || err == ERR_RANGE, "%s", host_err(err));
		good += err == ERR_OK;
		CHECK(err != ERR_OK || (entry.raw >= FLOOR && entry.raw < RAM_HIGH + HIGH_SIZE), "entry %#jx",
		      (uintmax_t)entry.raw);
	}
	CHECK(steps < 4000 || (good > 0 && good < steps), "%u of %u were good", good, steps);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments_land_where_they_say),
		TEST(the_entry_is_where_its_segment_is_put),
		TEST(the_entry_may_be_physical),
		TEST(bss_alone_has_no_offset),
		TEST(reasons_say_what_to_do),
		TEST(every_truncation_is_refused),
		TEST(bad_headers_are_refused),
		TEST(bad_segments_are_refused),
		TEST(borders_are_exact),
		TEST(too_many_segments_are_refused),
		TEST(memory_may_run_out),
		TEST(reasons_are_cut),
		TEST(random_damage_does_no_harm),
	};

	return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
