/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest programs: what is loaded where, and that no file, however malformed, gets a byte beyond what it may. */
#include "vmm/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "include/arch/virt.h"
#include "tests/host/formats.h"
#include "tests/host/ram.h"

#define MACHINE  EM_RISCV
#define FLOOR    MIB(1)
#define RAM_LOW  MIB(8)  /* guest RAM at 0 */
#define RAM_HIGH GIB(4)  /* and 2 MiB more here */
#define HIGH_SIZE MIB(2)
#define SEGMENTS 20

uint16_t arch_elf_machine(void)
{
	return MACHINE;
}

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(FLOOR);
}

/* A file as its parts, of which a test spoils one. */
struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segments[SEGMENTS];
	uint8_t bytes[KIB(16)];
	size_t size; /* of the whole file */
};

#define BYTES_AT (sizeof(Elf64_Ehdr) + SEGMENTS * sizeof(Elf64_Phdr))

static struct ram ram;
static struct vm *vm;
static struct program program;

static void set_segment(unsigned i, uint64_t paddr, uint64_t offset, uint64_t filesz, uint64_t memsz)
{
	program.segments[i] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = BYTES_AT + offset,
		.p_vaddr = paddr,
		.p_paddr = paddr,
		.p_filesz = filesz,
		.p_memsz = memsz,
		.p_align = KIB(4),
	};
}

/* Text, data with bss, and bss alone; a note in between that is nobody's business. */
static void make_program(void)
{
	memset(&program, 0, sizeof(program));
	memcpy(program.header.e_ident, ELFMAG, SELFMAG);
	program.header.e_ident[EI_CLASS] = ELFCLASS64;
	program.header.e_ident[EI_DATA] = ELFDATA2LSB;
	program.header.e_ident[EI_VERSION] = EV_CURRENT;
	program.header.e_type = ET_EXEC;
	program.header.e_machine = MACHINE;
	program.header.e_version = EV_CURRENT;
	program.header.e_entry = MIB(1) + 0x100;
	program.header.e_phoff = sizeof(Elf64_Ehdr);
	program.header.e_ehsize = sizeof(Elf64_Ehdr);
	program.header.e_phentsize = sizeof(Elf64_Phdr);
	program.header.e_phnum = 4;
	set_segment(0, MIB(1), 0, KIB(10), KIB(10));
	set_segment(1, 0, UINT64_MAX / 2, UINT64_MAX, 5);
	program.segments[1].p_type = PT_NOTE;
	set_segment(2, MIB(2) + 0x345, KIB(10), KIB(6), KIB(100));
	set_segment(3, RAM_HIGH, 0, 0, KIB(64));
	for (size_t i = 0; i < sizeof(program.bytes); i++)
		program.bytes[i] = (uint8_t)(1 + i % 255);
	program.size = BYTES_AT + sizeof(program.bytes);
}

static int setup(void **state)
{
	const struct format_case *format = &formats[0];

	(void)state;
	vm = calloc(1, sizeof(*vm));
	assert_non_null(vm);
	ram_open(&ram, GIB(16), MIB(4), true);
	CHECK_ERR(addr_space_new(&vm->as, format->ops, &format->config, NULL), ERR_OK);
	vm->ram[0].start = GPA(0);
	vm->ram[0].size = RAM_LOW;
	vm->ram[1].start = GPA(RAM_HIGH);
	vm->ram[1].size = HIGH_SIZE;
	vm->ram_ranges = 2;
	for (size_t i = 0; i < vm->ram_ranges; i++)
		CHECK_ERR(addr_space_map_alloc(&vm->as, vm->ram[i].start, vm->ram[i].size, NPT_RWX, ALLOC_LAZY_4K),
			  ERR_OK);
	make_program();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	addr_space_free(&vm->as);
	free(vm);
	ram_release(&ram);
	ram_close(&ram);
	return 0;
}

/* Load a copy of exactly this size, so that the sanitizer sees what is read beyond it. */
static enum err load(size_t size, gpa_t *entry, char *why, size_t why_size)
{
	uint8_t *file = malloc(size ? size : 1);
	enum err err;
	static uint8_t whole[sizeof(program)];

	assert_non_null(file);
	memcpy(whole, &program.header, sizeof(program.header));
	memcpy(whole + sizeof(program.header), program.segments, sizeof(program.segments));
	memcpy(whole + BYTES_AT, program.bytes, sizeof(program.bytes));
	memcpy(file, whole, size);
	memset(why, '?', why_size);
	err = elf_load(vm, file, size, entry, why, why_size);
	free(file);
	if (err != ERR_OK)
		CHECK(memchr(why, '\0', why_size) && !strchr(why, '\n') && (why[0] || why_size == 1), "no reason");
	return err;
}

static uint64_t resident(void)
{
	return addr_space_get_stats(&vm->as).resident;
}

/* Refused as a whole: not a page of the guest's has been touched. */
static void expect_refused(const char *what, enum err wanted)
{
	uint64_t before = resident();
	gpa_t entry;
	char why[96];
	enum err err = load(program.size, &entry, why, sizeof(why));

	CHECK(err == wanted, "%s: %s (%s)", what, host_err(err), err == ERR_OK ? "" : why);
	CHECK(resident() == before, "%s: something was loaded", what);
	make_program();
}

static void expect_loaded(uint64_t entry_at)
{
	gpa_t entry;
	char why[96];

	CHECK_ERR(load(program.size, &entry, why, sizeof(why)), ERR_OK);
	CHECK_EQ(entry.raw, entry_at);
}

static void segments_land_where_they_say(void **state)
{
	uint8_t back[KIB(12)];

	(void)state;
	expect_loaded(MIB(1) + 0x100);
	CHECK_EQ(resident(), KIB(4) * (3 + 2)); /* bss is not touched */
	CHECK_ERR(addr_space_read(&vm->as, GPA(MIB(1)), back, KIB(10)), ERR_OK);
	CHECK(memcmp(back, program.bytes, KIB(10)) == 0, "text");
	CHECK_ERR(addr_space_read(&vm->as, GPA(MIB(2) + 0x345), back, KIB(6)), ERR_OK);
	CHECK(memcmp(back, program.bytes + KIB(10), KIB(6)) == 0, "data");
	/* Zeros around it: bss after, and what was there before. */
	CHECK_ERR(addr_space_read(&vm->as, GPA(MIB(2) + 0x345 + KIB(6)), back, KIB(12)), ERR_OK);
	for (size_t i = 0; i < KIB(12); i++)
		CHECK_EQ(back[i], 0);
	CHECK_ERR(addr_space_read(&vm->as, GPA(MIB(2)), back, 0x345), ERR_OK);
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

static void every_truncation_is_refused(void **state)
{
	gpa_t entry;
	char why[96];

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
	program.header.e_type = ET_DYN;
	expect_refused("position-independent", ERR_UNSUPPORTED);
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
	{ "offset and size that wrap around", MIB(3), 0x1000 - BYTES_AT, UINT64_MAX - 0xfff, UINT64_MAX - 0xfff,
	  ERR_CORRUPT },
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
	set_segment(4, RAM_LOW - KIB(4), 0, KIB(4), KIB(4));                     /* the last page of RAM */
	set_segment(5, RAM_HIGH + HIGH_SIZE - 4, KIB(16) - 4, 4, 4);             /* the last bytes of RAM and file */
	set_segment(6, MIB(1) + KIB(10), 0, 4, MIB(1) + 0x345 - KIB(10));        /* no gap to its neighbours */
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
	char why[96];

	(void)state;
	ram_leave(&ram, 3);
	CHECK_ERR(load(program.size, &entry, why, sizeof(why)), ERR_NO_MEMORY);
	ram_release(&ram);
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
		char why[96];
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
		CHECK(err == ERR_OK || err == ERR_CORRUPT || err == ERR_UNSUPPORTED || err == ERR_RANGE, "%s",
		      host_err(err));
		good += err == ERR_OK;
		CHECK(err != ERR_OK || (entry.raw >= FLOOR && entry.raw < RAM_HIGH + HIGH_SIZE), "entry %#jx",
		      (uintmax_t)entry.raw);
	}
	CHECK(steps < 4000 || (good > 0 && good < steps), "%u of %u were good", good, steps);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments_land_where_they_say),
		TEST(the_entry_is_where_its_segment_is_put),
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
