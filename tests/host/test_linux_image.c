/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw Linux images: where they are put, and what is refused. */
#include "vmm/linux_image.h"

#include <string.h>

#include "include/arch/virt.h"
#include "tests/host/host_vm.h"

#define MAGIC     0x644d5241
#define RAM_START 0x40000000
#define RAM_SIZE  MIB(8)
#define FILE_SIZE 5000

static struct ram ram;
static struct vm *vm;
static uint64_t floor_gpa;
static struct linux_rules rules;
static const char *refuses;

const struct linux_rules *arch_linux_rules(void)
{
	return &rules;
}

const char *arch_linux_refuses(uint64_t flags)
{
	CHECK_EQ(flags, 0xa);
	return refuses;
}

gpa_t arch_guest_load_floor(const struct vm *of)
{
	(void)of;
	return GPA(floor_gpa);
}

static struct {
	uint32_t code[2];
	uint64_t text_offset, image_size, flags, reserved[3];
	uint32_t magic, pe_header;
	uint8_t bytes[FILE_SIZE - 64];
} file;

static char why[96];

static int setup(void **state)
{
	(void)state;
	vm = host_vm_new(&ram, RAM_START, RAM_SIZE);
	floor_gpa = RAM_START + KIB(64);
	rules = (struct linux_rules){ .magic = MAGIC, .align = 4, .old_text_offset = KIB(512) };
	refuses = NULL;
	memset(&file, 0x5a, sizeof(file));
	file.text_offset = 0;
	file.image_size = MIB(1);
	file.flags = 0xa;
	file.magic = MAGIC;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_vm_free(&ram, vm);
	return 0;
}

static enum err load(gpa_t *entry)
{
	const struct guest_image image = { .bytes = &file, .size = sizeof(file) };

	strcpy(why, "");
	return linux_image_load(vm, &image, entry, why, sizeof(why));
}

static void check_loaded_at(uint64_t wanted)
{
	static uint8_t back[FILE_SIZE];
	gpa_t entry;

	CHECK_ERR(load(&entry), ERR_OK);
	CHECK_EQ(entry.raw, wanted);
	CHECK_ERR(addr_space_read(&vm->as, entry, back, sizeof(back)), ERR_OK);
	assert_memory_equal(back, &file, sizeof(back));
}

static void check_refused(enum err wanted)
{
	gpa_t entry;

	CHECK_ERR(load(&entry), wanted);
	CHECK(why[0] && !strchr(why, '\n'), "no reason");
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, 0);
}

static void the_magic_number_tells(void **state)
{
	(void)state;
	CHECK_EQ(linux_image_is(&file, sizeof(file)), true);
	CHECK_EQ(linux_image_is(&file, 64), true);
	CHECK_EQ(linux_image_is(&file, 63), false);
	rules.magic = 0x05435352;
	CHECK_EQ(linux_image_is(&file, sizeof(file)), false);
	rules.magic = 0;
	file.magic = 0;
	CHECK_EQ(linux_image_is(&file, sizeof(file)), false);
}

static void the_lowest_place_is_taken(void **state)
{
	(void)state;
	check_loaded_at(RAM_START + MIB(2)); /* above the boot data */
	file.text_offset = MIB(2);
	check_loaded_at(RAM_START + MIB(2));
	file.text_offset = KIB(512);
	check_loaded_at(RAM_START + KIB(512));
	file.text_offset = KIB(64);
	check_loaded_at(RAM_START + KIB(64));
	file.text_offset = KIB(64) - 4;
	check_loaded_at(RAM_START + MIB(2) + KIB(64) - 4);
	file.image_size = 0; /* an old kernel: neither is said */
	check_loaded_at(RAM_START + KIB(512));
	floor_gpa = RAM_START + MIB(5);
	check_loaded_at(RAM_START + MIB(6) + KIB(512));
}

static void ram_has_an_end(void **state)
{
	(void)state;
	file.image_size = RAM_SIZE - MIB(2) + 1;
	check_refused(ERR_RANGE);
	file.image_size = UINT64_MAX;
	check_refused(ERR_RANGE);
	file.image_size = 1; /* less than the file: the file counts */
	vm->ram[0].size = MIB(2) + FILE_SIZE - 1;
	check_refused(ERR_RANGE);
	vm->ram[0].size = MIB(2) + FILE_SIZE;
	check_loaded_at(RAM_START + MIB(2));
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	file.flags |= 1;
	check_refused(ERR_UNSUPPORTED);
	file.flags = 0xa;
	refuses = "its pages are of another size";
	check_refused(ERR_UNSUPPORTED);
	CHECK(strcmp(why, refuses) == 0, "%s", why);
	refuses = NULL;
	file.text_offset = UINT64_MAX;
	check_refused(ERR_CORRUPT);
	file.text_offset = GIB(1);
	check_refused(ERR_RANGE);
	file.text_offset = MIB(2) + 2;
	check_refused(ERR_CORRUPT);
}

/* RISC-V's rules: there never were images that do not say their size, and pages of 2 MiB map the kernel. */
static void each_isa_has_its_rules(void **state)
{
	(void)state;
	rules.align = MIB(2);
	rules.old_text_offset = 0;
	file.text_offset = KIB(512);
	check_refused(ERR_CORRUPT);
	file.text_offset = MIB(2);
	file.image_size = 0;
	check_refused(ERR_CORRUPT);
	CHECK(strstr(why, "image_size"), "%s", why);
	file.image_size = MIB(1);
	check_loaded_at(RAM_START + MIB(2));
}

/* A PE header's place, the number of its sections, and where the second one ends in the file. */
static void make_pe(uint32_t at, uint16_t sections, uint32_t end)
{
	uint8_t *pe = (uint8_t *)&file + at, *section = pe + 24 + 160;
	const uint16_t optional_bytes = 160;
	const uint32_t start = 1024, bytes = end - start;

	memcpy(file.code, "MZ", 2);
	file.pe_header = at;
	memset(pe, 0, 24 + 160 + 40ul * sections);
	memcpy(pe + 6, &sections, sizeof(sections));
	memcpy(pe + 20, &optional_bytes, sizeof(optional_bytes));
	memcpy(section + 40 + 16, &bytes, sizeof(bytes));
	memcpy(section + 40 + 20, &start, sizeof(start));
}

/* What is missing at the end would be missed by the kernel only. */
static void a_file_that_is_cut_short_is_refused(void **state)
{
	(void)state;
	make_pe(64, 2, FILE_SIZE + 1);
	check_refused(ERR_CORRUPT);
	CHECK(strcmp(why, "it is cut short: 5000 of at least 5001 bytes are there") == 0, "%s", why);
	make_pe(64, 2, 900); /* its size is out of this world */
	check_refused(ERR_CORRUPT);
	make_pe(FILE_SIZE - 24 - 160 - 80, 2, FILE_SIZE);
	check_loaded_at(RAM_START + MIB(2));
	make_pe(64, 2, FILE_SIZE + 1);
	file.code[0] = 0; /* no EFI program: nobody knows */
	check_loaded_at(RAM_START + MIB(2));
}

/* The headers themselves. */
static void so_is_one_that_ends_in_its_headers(void **state)
{
	(void)state;
	make_pe(64, 2, FILE_SIZE);
	file.pe_header = FILE_SIZE - 23;
	check_refused(ERR_CORRUPT);
	file.pe_header = UINT32_MAX;
	check_refused(ERR_CORRUPT);
	make_pe(64, 2, FILE_SIZE);
	memset((uint8_t *)&file + 64 + 6, 0xff, 2); /* 65,535 sections */
	check_refused(ERR_CORRUPT);
}

static void memory_may_run_out(void **state)
{
	gpa_t entry;

	(void)state;
	ram_leave(&ram, 1);
	CHECK_ERR(load(&entry), ERR_NO_MEMORY);
	CHECK(why[0], "no reason");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_magic_number_tells),
		TEST(the_lowest_place_is_taken),
		TEST(ram_has_an_end),
		TEST(nonsense_is_refused),
		TEST(memory_may_run_out),
		TEST(each_isa_has_its_rules),
		TEST(a_file_that_is_cut_short_is_refused),
		TEST(so_is_one_that_ends_in_its_headers),
	};

	return cmocka_run_group_tests_name("linux_image", tests, NULL, NULL);
}
