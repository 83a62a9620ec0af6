/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU uses is kept from a firmware that calls it free: which pages are taken, and what becomes of a refusal. */
#include "boot/in_use.h"

#include <string.h>

#include "include/arch/machine.h"
#include "tests/host/efi.h"

#define FREE       UINT64_C(0x80000)
#define FREE_PAGES 16
#define BUSY       UINT64_C(0x100000)

static const struct region {
	uint64_t start, size;
} * regions;
static size_t region_count, asked, readable;
static bool endless;

void arch_in_use(arch_region_visitor visit, void *context)
{
	asked = readable = 0;
	for (size_t i = 0; i < region_count; i++, asked++)
		readable += visit(HPA(regions[i].start), regions[i].size, context);
	while (endless && visit(HPA(FREE), 1, context))
		asked++;
}

static void set_regions(const struct region *list, size_t count)
{
	regions = list;
	region_count = count;
}

static int setup(void **state)
{
	(void)state;
	efi_reset();
	efi_describe(EfiConventionalMemory, (const void *)FREE, FREE_PAGES);
	efi_describe(EfiBootServicesData, (const void *)BUSY, 16);
	efi_describe(EfiMemoryMappedIO, (const void *)0x200000, 16);
	host_log_clear();
	set_regions(NULL, 0);
	endless = false;
	return 0;
}

static void nothing_free_is_in_use(void **state)
{
	static const struct region busy[] = { { BUSY, PAGE_SIZE }, { 0x200000, PAGE_SIZE }, { 0x300000, 8 } };

	(void)state;
	set_regions(busy, ARRAY_LEN(busy));
	CHECK_ERR(in_use_keep(), ERR_OK);
	CHECK_EQ(efi_taken_count(), 0);
	CHECK_EQ(host_log_lines(), 0);
	/* What the firmware describes as memory may be read, and nothing else. */
	CHECK_EQ(readable, 1);
}

/* Whole pages, those that are free of a region; a page that is named twice is taken once. */
static void what_is_free_is_taken(void **state)
{
	static const struct region used[] = {
		{ FREE, PAGE_SIZE },
		{ FREE + 3 * PAGE_SIZE - 8, 16 },
		{ FREE, PAGE_SIZE },
		{ FREE - 2 * PAGE_SIZE, 2 * PAGE_SIZE },
		{ FREE + 15 * PAGE_SIZE + 5, 3 * PAGE_SIZE },
	};

	(void)state;
	set_regions(used, ARRAY_LEN(used));
	CHECK_ERR(in_use_keep(), ERR_OK);
	for (unsigned page = 0; page < FREE_PAGES; page++) {
		bool wanted = page == 0 || page == 2 || page == 3 || page == 15;

		CHECK_EQ(efi_taken(FREE + page * PAGE_SIZE), wanted ? EfiBootServicesData : EfiConventionalMemory);
	}
	CHECK_EQ(efi_taken_count(), 4);
	CHECK_EQ(host_log_lines(), 1);
	CHECK(strstr(host_log_line(0), "16 KiB"), "%s", host_log_line(0));
}

static void a_refusal_is_an_error(void **state)
{
	static const struct region used[] = { { FREE, PAGE_SIZE } };

	(void)state;
	set_regions(used, ARRAY_LEN(used));
	efi_faults.no_take = true;
	CHECK_ERR(in_use_keep(), ERR_DENIED);
	efi_faults.no_take = false;
	efi_faults.no_map = true;
	CHECK_ERR(in_use_keep(), ERR_IO);
}

static void tables_without_end_are_given_up(void **state)
{
	(void)state;
	endless = true;
	CHECK_ERR(in_use_keep(), ERR_CORRUPT);
}

static void an_overlap_is_found(void **state)
{
	static const struct region used[] = { { BUSY, 16 }, { FREE + 0x800, PAGE_SIZE } };
	struct firmware_map map;

	(void)state;
	set_regions(used, ARRAY_LEN(used));
	CHECK_ERR(firmware_get_map(&map), ERR_OK);
	CHECK_EQ(in_use_overlaps(&map, HPA(BUSY), 1), true);
	CHECK_EQ(in_use_overlaps(&map, HPA(BUSY - 1), 1), false);
	CHECK_EQ(in_use_overlaps(&map, HPA(BUSY - 1), 2), true);
	CHECK_EQ(in_use_overlaps(&map, HPA(BUSY + 16), 1), false);
	CHECK_EQ(in_use_overlaps(&map, HPA(FREE), 0x800), false);
	CHECK_EQ(in_use_overlaps(&map, HPA(FREE), 0x801), true);
	CHECK_EQ(in_use_overlaps(&map, HPA(0), UINT64_MAX), true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_free_is_in_use, setup),
		cmocka_unit_test_setup(what_is_free_is_taken, setup),
		cmocka_unit_test_setup(a_refusal_is_an_error, setup),
		cmocka_unit_test_setup(tables_without_end_are_given_up, setup),
		cmocka_unit_test_setup(an_overlap_is_found, setup),
	};

	return cmocka_run_group_tests_name("in_use", tests, NULL, NULL);
}
