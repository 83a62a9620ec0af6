/* SPDX-License-Identifier: BSD-2-Clause */
/* From the firmware's memory map to frames and to the hypervisor's own map: what may be used when, and W^X. */
#include <string.h>
#include <sys/mman.h>

#include "boot/memory.h"
#include "include/arch/machine.h"
#include "mm/frame.h"
#include "tests/host/efi.h"

/* The hypervisor sees memory one to one, so RAM is mapped at an address that physical memory could have. */
#define RAM_START GIB(1) /* below what the address sanitizer keeps for itself */
#define RAM_BYTES MIB(96)

/* The image in it: a page of header, two of text, one of constants, one of relocated constants, three of data. */
#define IMAGE_START  (RAM_START + MIB(80))
#define IMAGE_TEXT   (IMAGE_START + 0x1000)
#define IMAGE_RODATA (IMAGE_START + 0x3000)
#define IMAGE_RELRO  (IMAGE_START + 0x4000)
#define IMAGE_DATA   (IMAGE_START + 0x5000)
#define IMAGE_END    (IMAGE_START + 0x8000)

static const struct image_layout image = {
	.text_start = { IMAGE_TEXT },
	.text_end = { IMAGE_RODATA },
	.rodata_start = { IMAGE_RODATA },
	.rodata_end = { IMAGE_RELRO },
	.relro_start = { IMAGE_RELRO },
	.relro_end = { IMAGE_DATA },
};

/* Firmware's descriptors may be longer than the structure says. */
struct padded {
	EFI_MEMORY_DESCRIPTOR descriptor;
	char more[16];
};

#define MAX_DESCRIPTORS 2048

static struct {
	struct padded map[MAX_DESCRIPTORS];
	size_t count;
	char work[FIRMWARE_WORK(MAX_DESCRIPTORS)] __attribute__((aligned(16)));
} firmware;

const struct npt_ops *arch_host_map_config(struct npt_config *config)
{
	*config = (struct npt_config){
		.levels = 4,
		.gpa_bits = 48,
		.hpa_bits = 48,
		.max_leaf = 2,
		.hardware_ad = true,
		.page_memtypes = true,
	};
	return &npt_x86_host;
}

static void describe(UINT32 type, uint64_t start, uint64_t bytes, UINT64 attribute)
{
	firmware.map[firmware.count++].descriptor = (EFI_MEMORY_DESCRIPTOR){
		.Type = type,
		.PhysicalStart = start,
		.NumberOfPages = bytes / PAGE_SIZE,
		.Attribute = attribute,
	};
}

static struct firmware_map the_map(void)
{
	assert_true(firmware.count <= MAX_DESCRIPTORS);
	return (struct firmware_map){
		.work = firmware.work,
		.descriptors = (const char *)firmware.map,
		.size = firmware.count * sizeof(firmware.map[0]),
		.stride = sizeof(firmware.map[0]),
	};
}

/* Out of order, as firmware may list them. */
static int set_up(void **state)
{
	(void)state;
	assert_ptr_equal(mmap((void *)RAM_START, RAM_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0),
			 (void *)RAM_START);
	firmware.count = 0;
	describe(EfiConventionalMemory, RAM_START + MIB(32), MIB(32), EFI_MEMORY_WB);
	describe(EfiBootServicesData, 0, MIB(1), EFI_MEMORY_WB);
	describe(EfiConventionalMemory, RAM_START, MIB(16), EFI_MEMORY_WB);
	describe(EfiBootServicesCode, RAM_START + MIB(16), MIB(8), EFI_MEMORY_WB);
	describe(EfiBootServicesData, RAM_START + MIB(24), MIB(4), EFI_MEMORY_WB);
	describe(EfiRuntimeServicesCode, RAM_START + MIB(28), MIB(2), EFI_MEMORY_WB | EFI_MEMORY_RUNTIME);
	describe(EfiLoaderCode, IMAGE_START, IMAGE_END - IMAGE_START, EFI_MEMORY_WB);
	describe(EfiReservedMemoryType, RAM_START + MIB(30), MIB(2), 0);
	describe(EfiUnusableMemory, RAM_START + MIB(64), MIB(16), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	munmap((void *)RAM_START, RAM_BYTES);
	return 0;
}

static void test_frames_join_in_two_steps(void **state)
{
	const struct firmware_map map = the_map();
	struct firmware_map high;
	uint64_t free;

	(void)state;
	assert_int_equal(memory_init(&map), ERR_OK);
	free = frame_get_stats().free;
	/* Free memory, but for the records: 8 bytes for each frame there may be. */
	assert_true(free < MIB(48) && free > MIB(47));
	for (hpa_t frame; frame_alloc(0, &frame) == ERR_OK;) {
		uint64_t at = frame.raw - RAM_START;

		assert_true(at < MIB(16) || (at >= MIB(32) && at < MIB(64)));
	}
	/* What boot services left, but for low memory, which is not there on this host. */
	firmware.map[1].descriptor.NumberOfPages = 1;
	high = the_map();
	assert_int_equal(memory_reclaim(&high), ERR_OK);
	assert_int_equal(frame_get_stats().free, MIB(12));
}

struct seen {
	uint64_t bytes, text, rodata, relro, data, bad;
};

static bool inside(uint64_t at, uint64_t start, uint64_t end)
{
	return at >= start && at < end;
}

static bool look(const struct npt_leaf *leaf, void *context)
{
	struct seen *seen = context;
	uint64_t at = leaf->gpa.raw, size = npt_level_size(leaf->level);

	seen->bytes += size;
	if (leaf->hpa.raw != at || at == 0 || (leaf->attr.prot & NPT_RWX) == NPT_RWX)
		seen->bad++;
	if (inside(at, IMAGE_TEXT, IMAGE_RODATA))
		seen->text += leaf->attr.prot == NPT_RX ? size : 0;
	else if (inside(at, IMAGE_RODATA, IMAGE_RELRO))
		seen->rodata += leaf->attr.prot == NPT_R ? size : 0;
	else if (inside(at, IMAGE_RELRO, IMAGE_DATA))
		seen->relro += leaf->attr.prot == NPT_R ? size : 0;
	else if (leaf->attr.prot != NPT_RW)
		seen->bad++;
	else if (inside(at, IMAGE_DATA, IMAGE_END))
		seen->data += size;
	return true;
}

static void test_own_map_is_w_xor_x(void **state)
{
	const struct firmware_map map = the_map();
	struct seen seen = { 0 };
	struct host_map own;

	(void)state;
	assert_int_equal(memory_init(&map), ERR_OK);
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(npt_walk(&own.npt, GPA(0), BIT(48), look, &seen), ERR_OK);
	assert_int_equal(seen.bad, 0);
	assert_int_equal(seen.text, 8192);
	assert_int_equal(seen.rodata, 4096);
	assert_int_equal(seen.relro, 4096);
	assert_int_equal(seen.data, 12288);
	/* All RAM that is or will be ours, without page 0; not the firmware's runtime, reserved or broken memory. */
	assert_int_equal(seen.bytes, MIB(1) - PAGE_SIZE + MIB(28) + MIB(32) + IMAGE_END - IMAGE_START);
}

static void test_guard_is_a_hole(void **state)
{
	const struct firmware_map map = the_map();
	hpa_t guard = HPA(RAM_START + MIB(33));
	struct host_map own;
	struct npt_leaf leaf;

	(void)state;
	assert_int_equal(memory_init(&map), ERR_OK);
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(host_map_remove(&own, guard, HPA(guard.raw + PAGE_SIZE)), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(guard.raw), &leaf), ERR_NOT_FOUND);
	assert_int_equal(npt_query(&own.npt, GPA(guard.raw - 1), &leaf), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(guard.raw + PAGE_SIZE), &leaf), ERR_OK);
}

static void test_firmware_map_lets_the_firmware_run(void **state)
{
	const struct firmware_map map = the_map();
	struct host_map theirs;
	struct npt_leaf leaf;

	(void)state;
	assert_int_equal(memory_init(&map), ERR_OK);
	assert_int_equal(memory_make_firmware_map(&theirs, &map), ERR_OK);
	assert_int_equal(npt_query(&theirs.npt, GPA(RAM_START + MIB(29)), &leaf), ERR_OK);
	assert_int_equal(leaf.attr.prot, NPT_RWX);
}

static void check_device(const struct host_map *map, uint64_t at)
{
	struct npt_leaf leaf;

	assert_int_equal(npt_query(&map->npt, GPA(at), &leaf), ERR_OK);
	assert_int_equal(leaf.hpa.raw, leaf.gpa.raw);
	assert_int_equal(leaf.attr.prot, NPT_RW);
	assert_int_equal(leaf.attr.memtype, NPT_UC);
}

/* The firmware's own, where it still needs them, and the console's, wherever that is. */
static void test_device_registers_are_uncached(void **state)
{
	const uint64_t ours = 0x3f215000, theirs = 0x3f100000, unused = 0x3f200000;
	struct host_map own, firmware_map;
	struct firmware_map map;
	struct npt_leaf leaf;

	(void)state;
	describe(EfiMemoryMappedIO, theirs, 3 * PAGE_SIZE, EFI_MEMORY_RUNTIME | EFI_MEMORY_UC);
	describe(EfiMemoryMappedIO, unused, PAGE_SIZE, EFI_MEMORY_UC);
	map = the_map();
	assert_int_equal(memory_init(&map), ERR_OK);
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(theirs), &leaf), ERR_NOT_FOUND);
	assert_int_equal(memory_add_device(&own, HPA(ours), 2 * PAGE_SIZE), ERR_OK);
	check_device(&own, ours);
	check_device(&own, ours + PAGE_SIZE);
	assert_int_equal(npt_query(&own.npt, GPA(ours + 2 * PAGE_SIZE), &leaf), ERR_NOT_FOUND);
	assert_int_equal(memory_add_device(&own, HPA(0), 0), ERR_OK);

	assert_int_equal(memory_make_firmware_map(&firmware_map, &map), ERR_OK);
	assert_int_equal(npt_query(&firmware_map.npt, GPA(unused), &leaf), ERR_NOT_FOUND);
	/* A console that shares a page with what the firmware has named. */
	assert_int_equal(memory_add_device(&firmware_map, HPA(theirs + 2 * PAGE_SIZE), 2 * PAGE_SIZE), ERR_OK);
	for (unsigned page = 0; page < 4; page++)
		check_device(&firmware_map, theirs + page * PAGE_SIZE);
}

static uint64_t frames_of(const struct firmware_map *map)
{
	host_log_clear();
	assert_int_equal(memory_init(map), ERR_OK);
	return frame_get_stats().total;
}

/* For a special purpose; not through the caches; the firmware's even later: none of it is frames, and none is mapped. */
static void test_only_ordinary_memory_is_used(void **state)
{
	static const UINT64 others[] = { EFI_MEMORY_WB | 0x40000, 0, EFI_MEMORY_UC | EFI_MEMORY_WC | EFI_MEMORY_WT,
					 EFI_MEMORY_WB | EFI_MEMORY_RUNTIME };
	struct firmware_map map = the_map();
	struct host_map own;
	struct npt_leaf leaf;
	uint64_t before = frames_of(&map);

	(void)state;
	assert_int_equal(host_log_lines(), 0);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		describe(EfiConventionalMemory, GIB(4) + i * MIB(1), MIB(1), others[i]);
	describe(EfiBootServicesData, GIB(5), MIB(1), 0);
	describe(EfiBootServicesCode, GIB(5) + MIB(1), MIB(1), EFI_MEMORY_WB | 0x40000);
	map = the_map();
	assert_int_equal(frames_of(&map), before);
	assert_int_equal(host_log_lines(), 1);
	CHECK(strstr(host_log_line(0), "4 MiB"), "%s", host_log_line(0));
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(npt_query(&own.npt, GPA(GIB(4) + i * MIB(1)), &leaf), ERR_NOT_FOUND);
	assert_int_equal(npt_query(&own.npt, GPA(GIB(5)), &leaf), ERR_NOT_FOUND);
	/* This host has nothing there that could be written to. */
	firmware.map[1].descriptor.NumberOfPages = 1;
	map = the_map();
	assert_int_equal(memory_reclaim(&map), ERR_OK);
}

/* Twice the same is once; and what one descriptor calls free and another does not is not. */
static void test_descriptors_may_overlap(void **state)
{
	static const UINT32 others[] = { EfiReservedMemoryType, EfiRuntimeServicesData, EfiUnusableMemory, EfiMemoryMappedIO,
					 EfiBootServicesData,   EfiLoaderData,          EfiACPIMemoryNVS };
	struct firmware_map map = the_map();
	size_t count = firmware.count;
	uint64_t before = frames_of(&map);
	struct host_map own;
	struct npt_leaf leaf;

	(void)state;
	describe(EfiConventionalMemory, RAM_START + MIB(32), MIB(32), EFI_MEMORY_WB);
	describe(EfiConventionalMemory, RAM_START + MIB(40), MIB(1), EFI_MEMORY_WB);
	map = the_map();
	assert_int_equal(frames_of(&map), before);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		firmware.count = count;
		describe(others[i], RAM_START + MIB(33), MIB(1), 0);
		describe(others[i], RAM_START + MIB(33) + MIB(1) / 2, MIB(1), 0);
		map = the_map();
		CHECK_EQ(frames_of(&map), before - MIB(1) - MIB(1) / 2);
		assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
		CHECK_EQ(npt_query(&own.npt, GPA(RAM_START + MIB(33)), &leaf), others[i] == EfiLoaderData ? ERR_OK : ERR_NOT_FOUND);
		assert_int_equal(npt_query(&own.npt, GPA(RAM_START + MIB(35)), &leaf), ERR_OK);
	}
	/* Where the image is, we are. */
	firmware.count = count;
	describe(EfiReservedMemoryType, IMAGE_START, IMAGE_END - IMAGE_START, 0);
	map = the_map();
	assert_int_equal(memory_init(&map), ERR_OK);
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(IMAGE_TEXT), &leaf), ERR_OK);
	assert_int_equal(leaf.attr.prot, NPT_RX);
}

/* Any number of pieces. */
static void test_memory_in_a_thousand_pieces(void **state)
{
	struct firmware_map map;
	struct host_map own;
	struct npt_leaf leaf;

	(void)state;
	firmware.count = 0;
	describe(EfiLoaderCode, IMAGE_START, IMAGE_END - IMAGE_START, EFI_MEMORY_WB);
	describe(EfiConventionalMemory, RAM_START, MIB(16), EFI_MEMORY_WB);
	for (unsigned i = 0; i < 1000; i++) {
		describe(EfiConventionalMemory, RAM_START + MIB(32) + i * 2 * PAGE_SIZE, PAGE_SIZE, EFI_MEMORY_WB);
		describe(EfiACPIMemoryNVS, RAM_START + MIB(32) + (i * 2 + 1) * PAGE_SIZE, PAGE_SIZE, EFI_MEMORY_WB);
	}
	map = the_map();
	/* The records are for 80 MiB: a page of the first piece for each 2 MiB. */
	assert_int_equal(frames_of(&map), MIB(16) + 1000 * PAGE_SIZE - align_up((IMAGE_END - RAM_START) / 512, PAGE_SIZE));
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(RAM_START + MIB(32) + 1998 * PAGE_SIZE), &leaf), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(RAM_START + MIB(32) + 1999 * PAGE_SIZE), &leaf), ERR_NOT_FOUND);
}

/* Memory that no frame number and no address of ours leads to, and descriptors that end beyond all addresses. */
static void test_memory_beyond_all_bounds_is_left_out(void **state)
{
	struct firmware_map map = the_map();
	uint64_t before = frames_of(&map);
	struct host_map own, theirs;

	(void)state;
	describe(EfiConventionalMemory, TIB(16), GIB(1), EFI_MEMORY_WB);
	describe(EfiConventionalMemory, TIB(200), GIB(2), EFI_MEMORY_WB);
	describe(EfiConventionalMemory, BIT(60), GIB(4), EFI_MEMORY_WB);
	describe(EfiMemoryMappedIO, BIT(60), GIB(4), EFI_MEMORY_RUNTIME);
	describe(EfiReservedMemoryType, UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE, 0);
	map = the_map();
	assert_int_equal(frames_of(&map), before);
	assert_int_equal(host_log_lines(), 1);
	CHECK(strstr(host_log_line(0), " 7168 MiB") && strstr(host_log_line(0), "16383 GiB"), "%s", host_log_line(0));
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(memory_make_firmware_map(&theirs, &map), ERR_OK);
	/* More pages than there are, and not at a page's beginning. */
	describe(EfiConventionalMemory, TIB(300), PAGE_SIZE, EFI_MEMORY_WB);
	firmware.map[firmware.count - 1].descriptor.NumberOfPages = UINT64_MAX;
	describe(EfiReservedMemoryType, RAM_START + MIB(32) + 5, PAGE_SIZE, 0);
	map = the_map();
	assert_int_equal(frames_of(&map), before);
}

/* Zones are few: of clusters far apart the smallest are left out, and those close to each other become one. */
static void test_clusters_far_apart(void **state)
{
	struct firmware_map map = the_map();
	uint64_t before = frames_of(&map);

	(void)state;
	for (unsigned i = 1; i < FRAME_MAX_ZONES; i++)
		describe(EfiBootServicesData, TIB(i), MIB(8), EFI_MEMORY_WB);
	map = the_map();
	assert_in_range(frames_of(&map), before - KIB(200), before);
	assert_int_equal(host_log_lines(), 0);
	for (unsigned i = 1; i < 4; i++)
		describe(EfiConventionalMemory, TIB(i) + GIB(512), KIB(64) * i, EFI_MEMORY_WB);
	map = the_map();
	assert_in_range(frames_of(&map), before - KIB(200), before);
	assert_int_equal(host_log_lines(), 1);
	CHECK(strstr(host_log_line(0), " 384 KiB"), "%s", host_log_line(0));
}

/* A device tree may reserve what the firmware's runtime services are in: they go on there. */
static void test_services_stay_where_they_are(void **state)
{
	const struct firmware_map map = the_map();
	struct host_map own, theirs;
	struct npt_leaf leaf;

	(void)state;
	assert_int_equal(memory_exclude(HPA(RAM_START + MIB(28)), MIB(1)), ERR_OK);
	assert_int_equal(memory_init(&map), ERR_OK);
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(memory_make_firmware_map(&theirs, &map), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(RAM_START + MIB(28)), &leaf), ERR_NOT_FOUND);
	assert_int_equal(npt_query(&theirs.npt, GPA(RAM_START + MIB(28)), &leaf), ERR_OK);
	assert_int_equal(leaf.attr.prot, NPT_RWX);
	assert_int_equal(npt_query(&theirs.npt, GPA(RAM_START + MIB(30) - 1), &leaf), ERR_OK);
}

/* Something reserved in every second page: between some nothing is used either, but nothing reserved is ever used. */
static void test_very_much_is_excluded(void **state)
{
	(void)state;
	host_log_clear();
	assert_int_equal(memory_exclude(HPA(UINT64_MAX - 10), 20), ERR_RANGE);
	assert_int_equal(memory_exclude(HPA(UINT64_MAX - 10), 5), ERR_RANGE);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(memory_exclude(HPA(RAM_START + MIB(48) + i * 2 * PAGE_SIZE), PAGE_SIZE), ERR_OK);
	assert_true(host_log_lines() > 0);
	for (unsigned i = 0; i < 300; i++)
		assert_true(memory_is_excluded(HPA(RAM_START + MIB(48) + i * 2 * PAGE_SIZE + 5), 1));
	assert_false(memory_is_excluded(HPA(RAM_START + MIB(48) + 599 * PAGE_SIZE), PAGE_SIZE));
	assert_false(memory_is_excluded(HPA(RAM_START + MIB(47)), PAGE_SIZE));
}

static void test_no_room_for_records(void **state)
{
	struct firmware_map map;

	(void)state;
	firmware.count = 0;
	describe(EfiBootServicesData, RAM_START, MIB(64), EFI_MEMORY_WB);
	describe(EfiConventionalMemory, RAM_START + MIB(64), PAGE_SIZE, EFI_MEMORY_WB);
	map = the_map();
	assert_int_equal(memory_init(&map), ERR_NO_MEMORY);
}

/* Memory that the firmware's map has is shown through the caches, a device's is not; and nobody else is given it. */
static void test_a_screen_is_mapped_as_what_it_lies_in(void **state)
{
	const hpa_t bar = HPA(UINT64_C(0x8000000000)), pixels = HPA(RAM_START + MIB(40));
	struct firmware_map map = the_map();
	struct host_map own, firmware_map;
	struct npt_leaf leaf;
	uint64_t before;

	(void)state;
	assert_int_equal(memory_init(&map), ERR_OK);
	before = frame_get_stats().total;
	assert_int_equal(memory_exclude(pixels, MIB(1)), ERR_OK);
	assert_int_equal(memory_init(&map), ERR_OK);
	assert_int_equal(frame_get_stats().total, before - MIB(1));
	assert_int_equal(memory_make_map(&own, &map, &image), ERR_OK);
	assert_int_equal(memory_make_firmware_map(&firmware_map, &map), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(pixels.raw), &leaf), ERR_NOT_FOUND);
	assert_int_equal(npt_query(&firmware_map.npt, GPA(pixels.raw), &leaf), ERR_NOT_FOUND);
	assert_int_equal(memory_add_screen(&own, &map, pixels, MIB(1)), ERR_OK);
	assert_int_equal(memory_add_screen(&firmware_map, &map, pixels, MIB(1)), ERR_OK);
	assert_int_equal(npt_query(&own.npt, GPA(pixels.raw + MIB(1) - 1), &leaf), ERR_OK);
	assert_int_equal(leaf.attr.prot, NPT_RW);
	assert_int_equal(leaf.attr.memtype, NPT_WB);
	assert_int_equal(memory_add_screen(&own, &map, bar, MIB(4)), ERR_OK);
	check_device(&own, bar.raw);
	check_device(&own, bar.raw + MIB(4) - PAGE_SIZE);
	assert_int_equal(memory_add_screen(&own, &map, HPA(BIT(60)), MIB(4)), ERR_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frames_join_in_two_steps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_own_map_is_w_xor_x, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guard_is_a_hole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_firmware_map_lets_the_firmware_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_device_registers_are_uncached, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_for_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_ordinary_memory_is_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_descriptors_may_overlap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory_in_a_thousand_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory_beyond_all_bounds_is_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clusters_far_apart, set_up, tear_down),
		/* The last ones: what is excluded stays so. */
		cmocka_unit_test_setup_teardown(test_a_screen_is_mapped_as_what_it_lies_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_services_stay_where_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_very_much_is_excluded, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
