/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: bzImages: where their kernels are put, and what is refused. */
#include "vmm/x86_64/bzimage.c"
#include "vmm/x86_64/vmlinux.c"
#include "vmm/x86_64/unzstd.c"

#include "tests/host/formats.h"
#include "tests/host/host_vm.h"

#define RAM_SIZE  MIB(64)
#define SETUP     (5 * SECTOR)
#define KERNEL    6000 /* rounded up to units of 16 */
#define FILE_SIZE (SETUP + KERNEL)

static struct ram ram;
static struct vm *vm;

uint16_t arch_elf_machine(void)
{
	return 0;
}

gpa_t arch_guest_load_floor(const struct vm *of)
{
	(void)of;
	return GPA(MIB(1));
}

static struct {
	uint8_t bytes[FILE_SIZE + 100]; /* with a signature behind the kernel */
} file;
static struct setup_header *header = (struct setup_header *)(file.bytes + SETUP_HEADER_AT);
static size_t size;

static char why[160];

static int setup(void **state)
{
	(void)state;
	vm = host_vm_new(&ram, 0, RAM_SIZE);
	size = sizeof(file);
	memset(&file, 0x5a, sizeof(file));
	memset(header, 0, sizeof(*header));
	header->setup_sects = SETUP / SECTOR - 1;
	header->syssize = KERNEL / SYSSIZE_UNIT;
	header->boot_flag = SETUP_BOOT_FLAG;
	header->jump = 0xeb;
	header->length = 0x6a;
	header->header = SETUP_MAGIC;
	header->version = 0x20f;
	header->loadflags = LOADED_HIGH;
	header->kernel_alignment = MIB(2);
	header->relocatable_kernel = 1;
	header->xloadflags = XLF_KERNEL_64 | XLF_ABOVE_4G;
	header->cmdline_size = 2047;
	header->pref_address = MIB(16);
	header->init_size = MIB(20);
	header->initrd_addr_max = 0x7fffffff;
	header->kernel_info_offset = 0x1234;
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
	const struct guest_image image = { .bytes = &file, .size = size };

	strcpy(why, "");
	return bzimage_load(vm, &image, entry, why, sizeof(why));
}

static void check_loaded_at(uint64_t wanted)
{
	static uint8_t back[KERNEL];
	gpa_t entry;

	CHECK_ERR(load(&entry), ERR_OK);
	CHECK_EQ(entry.raw, wanted + ENTRY_64);
	CHECK_EQ(vm->image.start.raw, wanted);
	CHECK_ERR(addr_space_read(&vm->as, GPA(wanted), back, sizeof(back)), ERR_OK);
	assert_memory_equal(back, file.bytes + SETUP, sizeof(back));
	CHECK_EQ(vm->arch.setup.header, SETUP_MAGIC);
}

static void check_refused(enum err wanted, const char *words)
{
	gpa_t entry;

	CHECK_ERR(load(&entry), wanted);
	CHECK(strstr(why, words) && !strchr(why, '\n'), "%s", why);
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, 0);
	CHECK_EQ(vm->arch.setup.header, 0);
}

static void the_magic_numbers_tell(void **state)
{
	(void)state;
	assert_true(bzimage_is(&file, sizeof(file)));
	assert_true(bzimage_is(&file, 0x206));
	assert_false(bzimage_is(&file, 0x205));
	assert_false(bzimage_is(&file, 0));
	header->boot_flag = 0;
	assert_false(bzimage_is(&file, sizeof(file)));
}

static void it_lies_where_it_prefers_to(void **state)
{
	(void)state;
	check_loaded_at(MIB(16));
	CHECK_EQ(vm->image.size, MIB(20));
	CHECK_EQ(vm->initrd_limit, 0);
	CHECK_EQ(vm->arch.setup.kernel_info_offset, 0x1234);
	header->init_size = 100; /* less than there is of it */
	check_loaded_at(MIB(16));
	CHECK_EQ(vm->image.size, align_up(KERNEL, PAGE_SIZE));
	header->relocatable_kernel = 0;
	check_loaded_at(MIB(16));
	header->setup_sects = 0; /* four are meant */
	check_loaded_at(MIB(16));
}

static void or_at_the_lowest_place(void **state)
{
	(void)state;
	header->pref_address = MIB(60);
	check_loaded_at(MIB(2));
	header->kernel_alignment = MIB(16);
	check_loaded_at(MIB(16));
	header->pref_address = KIB(64); /* on the boot data */
	check_loaded_at(MIB(16));
	header->kernel_alignment = 1;
	header->init_size = MIB(63);
	check_loaded_at(MIB(1));
	header->pref_address = ~UINT64_C(0);
	check_loaded_at(MIB(1));
}

static void the_initrd_is_kept_below_its_limit(void **state)
{
	(void)state;
	header->xloadflags = XLF_KERNEL_64;
	check_loaded_at(MIB(16));
	CHECK_EQ(vm->initrd_limit, 0x80000000);
}

/* What follows the header in the file is setup code, and no field. */
static void a_short_header_has_no_later_fields(void **state)
{
	(void)state;
	header->length = SETUP_HEADER_AT + offsetof(struct setup_header, handover_offset) - 0x202;
	header->handover_offset = 0x5a5a5a5a;
	check_loaded_at(MIB(16));
	CHECK_EQ(vm->arch.setup.handover_offset, 0);
	CHECK_EQ(vm->arch.setup.kernel_info_offset, 0);
	CHECK_EQ(vm->arch.setup.init_size, MIB(20));
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	header->init_size = MIB(64);
	check_refused(ERR_RANGE, "does not fit guest RAM");
	header->init_size = UINT32_MAX;
	check_refused(ERR_RANGE, "does not fit guest RAM");
	header->init_size = MIB(20);
	header->pref_address = MIB(60);
	header->relocatable_kernel = 0;
	check_refused(ERR_RANGE, "from 0x3c00000 on");
}

static void other_kernels_are_refused(void **state)
{
	(void)state;
	header->version = 0x20b;
	check_refused(ERR_UNSUPPORTED, "older than 3.8");
	header->version = 0x20f;
	header->xloadflags = XLF_ABOVE_4G;
	check_refused(ERR_UNSUPPORTED, "32-bit");
	header->xloadflags = XLF_KERNEL_64;
	header->loadflags = 0;
	check_refused(ERR_UNSUPPORTED, "zImage");
	header->loadflags = LOADED_HIGH;
	header->kernel_alignment = 0;
	check_refused(ERR_UNSUPPORTED, "alignment");
	header->kernel_alignment = 3;
	check_refused(ERR_UNSUPPORTED, "alignment");
	header->kernel_alignment = 0x80000000;
	check_refused(ERR_UNSUPPORTED, "alignment");
	header->kernel_alignment = 4096;
	header->length = 0x30;
	check_refused(ERR_UNSUPPORTED, "too short");
}

static void what_is_cut_short_is_refused(void **state)
{
	(void)state;
	for (size = 0x206; size < SETUP + KERNEL / SYSSIZE_UNIT * SYSSIZE_UNIT; size += 37) {
		gpa_t entry;

		CHECK(load(&entry) != ERR_OK && why[0], "%zu bytes", size);
		CHECK_EQ(addr_space_get_stats(&vm->as).resident, 0);
	}
	size = sizeof(file);
	header->syssize = UINT32_MAX;
	check_refused(ERR_CORRUPT, "truncated");
	header->syssize = 0;
	check_refused(ERR_CORRUPT, "truncated");
}

static void a_command_line_that_is_too_long_is_refused(void **state)
{
	(void)state;
	memset(vm->options.cmdline, 'x', 300);
	check_loaded_at(MIB(16));
	header->cmdline_size = 299;
	memset(&vm->arch.setup, 0, sizeof(vm->arch.setup));
	addr_space_free(&vm->as);
	CHECK_ERR(addr_space_new(&vm->as, formats[0].ops, &formats[0].config, NULL), ERR_OK);
	check_refused(ERR_RANGE, "may have 299 bytes, and the one given has 300");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_magic_numbers_tell),
		TEST(it_lies_where_it_prefers_to),
		TEST(or_at_the_lowest_place),
		TEST(the_initrd_is_kept_below_its_limit),
		TEST(a_short_header_has_no_later_fields),
		TEST(what_does_not_fit_is_refused),
		TEST(other_kernels_are_refused),
		TEST(what_is_cut_short_is_refused),
		TEST(a_command_line_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests_name("bzimage", tests, NULL, NULL);
}
