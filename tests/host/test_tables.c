/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's tables: which are taken, which are left aside, and that no pointer leads out of memory. */
#include "boot/tables.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "drivers/acpi.h"
#include "tests/host/efi.h"

#define MEMORY_PAGES 4

static const EFI_GUID acpi_2 = ACPI_20_TABLE_GUID, acpi_1 = ACPI_TABLE_GUID, dtb = EFI_DTB_TABLE_GUID;

/* The firmware's memory: nothing is mapped behind it, so that reading on is fatal. */
static char *memory;
static uint64_t tree[KIB(2) / 8];
static struct platform platform;

static void find(void)
{
	static struct firmware_map map;
	bool there = firmware_get_map(&map) == ERR_OK;

	tables_find(&platform, there ? &map : NULL);
}

static void check(int error)
{
	CHECK(error >= 0, "%s", fdt_strerror(error));
}

/* A tree with /chosen, packed. */
static void make_tree(const void *hart, int hart_bytes)
{
	int chosen;

	check(fdt_create_empty_tree(tree, sizeof(tree)));
	chosen = fdt_add_subnode(tree, 0, "chosen");
	check(chosen);
	check(fdt_setprop_string(tree, chosen, "stdout-path", "/soc/serial@10000000"));
	if (hart)
		check(fdt_setprop(tree, chosen, "boot-hartid", hart, hart_bytes));
	check(fdt_pack(tree));
}

/* Put it so that it ends where memory does, or `back` bytes before that, and tell the firmware to hand it over. */
static const void *hand_over(uint64_t back)
{
	char *at = memory + MEMORY_PAGES * PAGE_SIZE - back - fdt_totalsize(tree);

	memcpy(at, tree, fdt_totalsize(tree));
	efi_add_table(dtb, at);
	return at;
}

static int setup(void **state)
{
	(void)state;
	memory = mmap(NULL, (MEMORY_PAGES + 1) * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	munmap(memory + MEMORY_PAGES * PAGE_SIZE, PAGE_SIZE);
	efi_reset();
	efi_describe(EfiBootServicesData, memory, MEMORY_PAGES);
	host_log_clear();
	make_tree(NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	efi_reset();
	munmap(memory, MEMORY_PAGES * PAGE_SIZE);
	return 0;
}

static void nothing_is_there(void **state)
{
	(void)state;
	find();
	assert_null(platform.fdt);
	assert_null(platform.acpi_rsdp);
	assert_non_null(platform.acpi_reader);
	assert_false(platform.boot_hart_known);
	assert_int_equal(host_log_lines(), 0);
}

static void the_newer_acpi_table_is_taken(void **state)
{
	(void)state;
	efi_add_table(acpi_1, memory + 16);
	find();
	assert_ptr_equal(platform.acpi_rsdp, memory + 16);
	efi_add_table(acpi_2, memory + 64);
	find();
	assert_ptr_equal(platform.acpi_rsdp, memory + 64);
}

/* U-Boot's may lie at any address. */
static void the_tree_is_copied(void **state)
{
	const void *theirs;

	for (unsigned back = 0; back < 8; back++) {
		setup(state);
		theirs = hand_over(back);
		find();
		assert_non_null(platform.fdt);
		assert_ptr_not_equal(platform.fdt, theirs);
		assert_true(is_aligned((uintptr_t)platform.fdt, PAGE_SIZE));
		assert_memory_equal(platform.fdt, tree, fdt_totalsize(tree));
		assert_int_equal(host_log_lines(), 0);
		if (back < 7)
			teardown(state);
	}
}

/* Left aside, with one line that says so. */
static void expect_no_tree(const char *what, const char *line)
{
	host_log_clear();
	find();
	CHECK(!platform.fdt, "%s", what);
	CHECK(host_log_lines() == 1 && strstr(host_log_line(0), line), "%s: %u lines, \"%s\"", what, host_log_lines(),
	      host_log_lines() ? host_log_line(0) : "");
}

static void a_tree_that_memory_ends_in_is_left_aside(void **state)
{
	char *end = memory + MEMORY_PAGES * PAGE_SIZE;

	(void)state;
	memcpy(end - 64, tree, 64); /* its header is there */
	efi_add_table(dtb, end - 64);
	expect_no_tree("half a tree", "left aside");
	memcpy(end - 20, tree, 20);
	efi_reset();
	efi_describe(EfiBootServicesData, memory, MEMORY_PAGES);
	efi_add_table(dtb, end - 20);
	expect_no_tree("half a header", "left aside");
}

static void a_pointer_to_no_memory_is_not_followed(void **state)
{
	static const UINT32 not_memory[] = { EfiMemoryMappedIO, EfiMemoryMappedIOPortSpace, EfiUnusableMemory };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(not_memory); i++) {
		efi_reset();
		efi_describe(not_memory[i], memory, MEMORY_PAGES);
		hand_over(0);
		expect_no_tree("no memory", "left aside");
	}
	efi_reset();
	efi_add_table(dtb, (void *)(uintptr_t)0xdeadbeef000);
	expect_no_tree("an empty map", "left aside");
	efi_describe(EfiBootServicesData, memory, MEMORY_PAGES);
	expect_no_tree("a wild pointer", "left aside");
	efi_reset();
	efi_describe(EfiBootServicesData, memory, MEMORY_PAGES);
	efi_add_table(dtb, (void *)(UINTPTR_MAX - 15));
	expect_no_tree("a pointer to the end of all addresses", "left aside");
}

/* One descriptor goes on where another ends. */
static void a_tree_may_lie_in_two_descriptors(void **state)
{
	char *middle = memory + 2 * PAGE_SIZE, *at = middle - 100;

	(void)state;
	efi_reset();
	efi_describe(EfiConventionalMemory, middle, 2);
	efi_describe(EfiBootServicesData, memory, 2);
	memcpy(at, tree, fdt_totalsize(tree));
	efi_add_table(dtb, at);
	find();
	assert_non_null(platform.fdt);
	efi_reset();
	efi_describe(EfiBootServicesData, memory, 2);
	efi_add_table(dtb, at);
	expect_no_tree("its second half is nowhere", "left aside");
}

static void a_malformed_tree_is_left_aside(void **state)
{
	struct fdt_header *header = (struct fdt_header *)tree;
	uint32_t totalsize = fdt_totalsize(tree), *structure = (uint32_t *)((char *)tree + fdt_off_dt_struct(tree));
	char *at = memory;

	(void)state;
	efi_add_table(dtb, at);
	header->magic = 0;
	memcpy(at, tree, totalsize);
	expect_no_tree("magic", "left aside");
	make_tree(NULL, 0);
	structure[0] = cpu_to_fdt32(FDT_PROP); /* where the root should begin */
	memcpy(at, tree, totalsize);
	expect_no_tree("no root", "left aside");
	make_tree(NULL, 0);
	/* A property whose name lies beyond all strings. */
	for (uint32_t *word = structure; (char *)word < (char *)tree + totalsize; word++) {
		if (*word == cpu_to_fdt32(FDT_PROP)) {
			word[2] = cpu_to_fdt32(0x7fffff);
			break;
		}
	}
	memcpy(at, tree, totalsize);
	expect_no_tree("a name out of nowhere", "left aside");
	make_tree(NULL, 0);
	/* No end. */
	for (uint32_t *word = structure; (char *)word < (char *)tree + totalsize; word++)
		if (*word == cpu_to_fdt32(FDT_END_NODE) || *word == cpu_to_fdt32(FDT_END))
			*word = cpu_to_fdt32(FDT_NOP);
	memcpy(at, tree, totalsize);
	expect_no_tree("no end", "left aside");
}

/* EDK2 pads its tree with a megabyte of nothing. */
static void a_tree_is_of_bounded_size(void **state)
{
	const uint64_t bytes = TABLES_MAX_FDT_BYTES + PAGE_SIZE;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	assert_true(at != MAP_FAILED);
	efi_describe(EfiBootServicesData, at, bytes / PAGE_SIZE);
	efi_add_table(dtb, at);
	fdt_set_totalsize(tree, TABLES_MAX_FDT_BYTES);
	memcpy(at, tree, sizeof(tree));
	find();
	assert_non_null(platform.fdt);
	fdt_set_totalsize(tree, TABLES_MAX_FDT_BYTES + 8);
	memcpy(at, tree, sizeof(tree));
	expect_no_tree("too large", "left aside");
	munmap(at, bytes);
}

static void firmware_may_lack_what_it_takes(void **state)
{
	(void)state;
	hand_over(0);
	efi_faults.no_memory = true;
	expect_no_tree("no memory for a copy", "no memory for a copy");
	efi_faults.no_memory = false;
	efi_faults.no_map = true;
	efi_add_table(acpi_2, memory);
	expect_no_tree("no memory map", "memory map");
	assert_null(platform.acpi_rsdp);
}

static void acpi_reads_memory_only(void **state)
{
	char *end = memory + MEMORY_PAGES * PAGE_SIZE;

	(void)state;
	find();
	assert_ptr_equal(platform.acpi_reader((uintptr_t)memory, MEMORY_PAGES * PAGE_SIZE), memory);
	assert_ptr_equal(platform.acpi_reader((uintptr_t)end - 1, 1), end - 1);
	assert_null(platform.acpi_reader((uintptr_t)end - 1, 2));
	assert_null(platform.acpi_reader((uintptr_t)end, 1));
	assert_null(platform.acpi_reader((uintptr_t)memory - 1, 2));
	assert_null(platform.acpi_reader((uintptr_t)memory, UINT64_MAX));
	assert_null(platform.acpi_reader((uintptr_t)end - 1, UINT64_MAX));
}

static void a_tree_may_be_moved(void **state)
{
	const void *first, *second;

	(void)state;
	hand_over(0);
	find();
	first = platform.fdt;
	assert_true(firmware_is_ours(HPA((uintptr_t)first), 1));
	second = tables_move_fdt(first);
	assert_ptr_not_equal(first, second);
	assert_memory_equal(first, second, fdt_totalsize(tree));
	assert_false(firmware_is_ours(HPA((uintptr_t)first), PAGE_SIZE));
	assert_true(firmware_is_ours(HPA((uintptr_t)second), 1));
	efi_faults.no_memory = true;
	assert_null(tables_move_fdt(second));
}

static void check_hart(bool known, uint64_t hart)
{
	find();
	assert_int_equal(platform.boot_hart_known, known);
	if (known)
		assert_int_equal(platform.boot_hart, hart);
}

static void the_boot_hart_is_found(void **state)
{
	const fdt32_t narrow = cpu_to_fdt32(3);
	const fdt64_t wide = cpu_to_fdt64(0x100000002);

	(void)state;
	make_tree(&narrow, sizeof(narrow));
	hand_over(0);
	check_hart(true, 3);
	make_tree(&wide, sizeof(wide));
	efi_reset();
	efi_describe(EfiBootServicesData, memory, MEMORY_PAGES);
	hand_over(0);
	check_hart(true, 0x100000002);
	/* The protocol knows better, if it answers. */
	efi_set_hart(EFI_DEVICE_ERROR, 9);
	check_hart(true, 0x100000002);
	efi_set_hart(EFI_SUCCESS, 9);
	check_hart(true, 9);
	efi_reset();
	efi_set_hart(EFI_SUCCESS, 7);
	check_hart(true, 7);
	efi_reset();
	check_hart(false, 0);
	/* Neither 32 nor 64 bits. */
	efi_describe(EfiBootServicesData, memory, MEMORY_PAGES);
	make_tree("abc", 3);
	hand_over(0);
	check_hart(false, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newer_acpi_table_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(the_tree_is_copied, NULL, teardown),
		cmocka_unit_test_setup_teardown(a_tree_that_memory_ends_in_is_left_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pointer_to_no_memory_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tree_may_lie_in_two_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(a_malformed_tree_is_left_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tree_is_of_bounded_size, setup, teardown),
		cmocka_unit_test_setup_teardown(firmware_may_lack_what_it_takes, setup, teardown),
		cmocka_unit_test_setup_teardown(acpi_reads_memory_only, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tree_may_be_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(the_boot_hart_is_found, setup, teardown),
	};

	return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
