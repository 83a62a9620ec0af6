/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: kernels that a note has entered by the PVH boot protocol, and what they are told. */
#include "vmm/x86_64/pvh.c"

#include <stdlib.h>

#include "include/arch/virt.h"
#include "tests/host/host_vm.h"

#define RAM_SIZE MIB(64)
#define PROGRAM  MIB(16) /* where it is loaded */
#define ENTRY    (PROGRAM + 0x40)

static struct ram ram;
static struct vm *vm;
static char why[ELF_WHY_MAX];

/* A program of one page, which is the file itself, and a segment of notes in it: another's, and ours. */
static struct file {
	struct elf_header header;
	struct elf_segment segment[2];
	struct {
		struct note note;
		char name[4];
		uint32_t bytes;
	} other;
	struct {
		struct note note;
		char name[4];
		uint64_t entry;
	} __attribute__((packed)) ours;
	char code[64];
} file;

static void make_file(void)
{
	file = (struct file){
		.header = {
			.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
			.type = ET_EXEC,
			.machine = arch_elf_machine(),
			.version = 1,
			.entry = PROGRAM + offsetof(struct file, code),
			.phoff = offsetof(struct file, segment),
			.phentsize = sizeof(struct elf_segment),
			.phnum = 2,
		},
		.segment = {
			{ .type = PT_LOAD, .flags = PF_X, .vaddr = PROGRAM, .paddr = PROGRAM, .filesz = sizeof(file), .memsz = sizeof(file) },
			{ .type = PT_NOTE, .offset = offsetof(struct file, other), .filesz = sizeof(file.other) + sizeof(file.ours) },
		},
		.other = { { 4, 4, 1 }, "GNU", 0 },
		.ours = { { 4, 8, PHYS32_ENTRY }, "Xen", ENTRY },
	};
}

static int setup(void **state)
{
	(void)state;
	vm = host_vm_new(&ram, 0, RAM_SIZE);
	make_file();
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

	return pvh_load(vm, &image, entry, why, sizeof(why));
}

static void the_note_has_the_entry(void **state)
{
	gpa_t entry;

	(void)state;
	assert_true(pvh_is(&file, sizeof(file)));
	CHECK_ERR(load(&entry), ERR_OK);
	CHECK_EQ(entry.raw, ENTRY);
	assert_true(vm->arch.pvh);
	/* A 32-bit kernel's, as Xen's own tools take it, too. */
	file.ours.note.size = 4;
	file.ours.entry = (ENTRY + 8) | UINT64_C(0xff) << 32;
	CHECK_ERR(load(&entry), ERR_OK);
	CHECK_EQ(entry.raw, ENTRY + 8);
}

static void other_files_are_none(void **state)
{
	(void)state;
	file.ours.note.type = 5;
	assert_false(pvh_is(&file, sizeof(file)));
	make_file();
	file.ours.name[0] = 'x';
	assert_false(pvh_is(&file, sizeof(file)));
	make_file();
	file.ours.entry = GIB(4);
	assert_false(pvh_is(&file, sizeof(file)));
	make_file();
	file.ours.note.size = 2;
	assert_false(pvh_is(&file, sizeof(file)));
	make_file();
	file.header.type = ET_DYN;
	assert_false(pvh_is(&file, sizeof(file)));
	make_file();
	file.header.ident[4] = 1;
	assert_false(pvh_is(&file, sizeof(file)));
}

/* The copy ends where the memory does, for the sanitizer to see. */
static bool is_cut(size_t size)
{
	void *copy = malloc(size);
	bool is;

	memcpy(copy, &file, size);
	is = pvh_is(copy, size);
	free(copy);
	return is;
}

static void no_file_leads_beyond_its_end(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 3, 5, 0x7fffffff, 0xfffffffc, 0xffffffff };

	(void)state;
	for (size_t size = 1; size < sizeof(file); size++)
		assert_int_equal(is_cut(size), size >= offsetof(struct file, code));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		make_file();
		file.other.note.name_size = sizes[i];
		(void)is_cut(sizeof(file));
		file.other.note.size = sizes[i];
		(void)is_cut(sizeof(file));
		make_file();
		file.ours.note.size = sizes[i];
		(void)is_cut(offsetof(struct file, code));
		file.ours.note.name_size = sizes[i];
		(void)is_cut(offsetof(struct file, code));
	}
	make_file();
	file.segment[1].offset = UINT64_MAX - 8;
	assert_false(is_cut(sizeof(file)));
	make_file();
	file.header.phoff = UINT64_MAX - 8;
	assert_false(is_cut(sizeof(file)));
}

static void an_entry_outside_is_refused(void **state)
{
	gpa_t entry;

	(void)state;
	file.ours.entry = PROGRAM - 1;
	CHECK_ERR(load(&entry), ERR_CORRUPT);
	assert_non_null(strstr(why, "0xffffff is not in what it has loaded"));
	file.ours.entry = PROGRAM + sizeof(file);
	CHECK_ERR(load(&entry), ERR_CORRUPT);
	assert_false(vm->arch.pvh);
}

static void the_start_info_says_what_there_is(void **state)
{
	const struct pvh_memory memory[2] = { { 0, MIB(1), 1, 0 }, { MIB(2), MIB(62), 2, 0 } };
	const struct pvh_start start = { .cmdline = 0x5000, .rsdp = 0x6000, .memory = memory, .memory_rows = 2 };
	struct pvh_memory rows[2];
	struct start_info info;
	struct module module;

	(void)state;
	CHECK_ERR(pvh_write_start_info(vm, GPA(0x7000), &start), ERR_OK);
	CHECK_ERR(addr_space_read(&vm->as, GPA(0x7000), &info, sizeof(info)), ERR_OK);
	CHECK_EQ(info.magic, 0x336ec578);
	CHECK_EQ(info.modules, 0);
	CHECK_EQ(info.cmdline, 0x5000);
	CHECK_EQ(info.rsdp, 0x6000);
	CHECK_EQ(info.memory_rows, 2);
	CHECK_ERR(addr_space_read(&vm->as, GPA(info.memory), rows, sizeof(rows)), ERR_OK);
	assert_memory_equal(rows, memory, sizeof(rows));

	vm->initrd = (struct ram_range_gpa){ GPA(MIB(32)), 5000 };
	CHECK_ERR(pvh_write_start_info(vm, GPA(0x7000), &start), ERR_OK);
	CHECK_ERR(addr_space_read(&vm->as, GPA(0x7000), &info, sizeof(info)), ERR_OK);
	CHECK_EQ(info.modules, 1);
	CHECK_ERR(addr_space_read(&vm->as, GPA(info.modlist), &module, sizeof(module)), ERR_OK);
	CHECK_EQ(module.addr, MIB(32));
	CHECK_EQ(module.size, 5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_note_has_the_entry),
		TEST(other_files_are_none),
		TEST(no_file_leads_beyond_its_end),
		TEST(an_entry_outside_is_refused),
		TEST(the_start_info_says_what_there_is),
	};

	return cmocka_run_group_tests_name("pvh", tests, NULL, NULL);
}
