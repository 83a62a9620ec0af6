/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in guests: what is mapped, what is copied, and what has holes. */
#include "vmm/guest_file.h"

#include <string.h>

#include "tests/host/host_vm.h"

#define PAGES 16
#define AT    MIB(2)

static struct ram ram;
static struct vm *vm;
static hpa_t frames;
static struct guest_image file;

/* Pages 3 to 5, 9 and 15 are none of the file's: other bytes are there by now. */
static const uint8_t holes[] = { 0x38, 0x82 };

static bool is_hole(unsigned page)
{
	return file.holes && holes[page / 8] >> page % 8 & 1;
}

static int setup(void **state)
{
	(void)state;
	vm = host_vm_new(&ram, 0, MIB(8));
	CHECK_ERR(frame_alloc_count(FRAME_HYPERVISOR, PAGES, &frames), ERR_OK);
	memset(frame_ptr(frames), 0x44, PAGES * PAGE_SIZE);
	file = (struct guest_image){ .bytes = frame_ptr(frames), .size = PAGES * PAGE_SIZE, .frames = true };
	vm->files[0] = &file;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	CHECK_ERR(addr_space_unmap(&vm->as, GPA(0), MIB(8)), ERR_OK);
	frame_free_count(frames, PAGES);
	host_vm_free(&ram, vm);
	return 0;
}

static void check_page(unsigned page)
{
	static uint8_t back[PAGE_SIZE], wanted[PAGE_SIZE];

	memset(wanted, is_hole(page) ? 0 : 0x44, sizeof(wanted));
	CHECK_ERR(addr_space_read(&vm->as, GPA(AT + page * PAGE_SIZE), back, sizeof(back)), ERR_OK);
	assert_memory_equal(back, wanted, sizeof(back));
	CHECK_EQ(guest_file_has(vm, HPA(frames.raw + page * PAGE_SIZE)), !is_hole(page));
}

static void check_loaded(uint64_t shared, uint64_t resident)
{
	CHECK_ERR(guest_file_load(vm, &file, 0, file.size, GPA(AT)), ERR_OK);
	CHECK_EQ(addr_space_get_stats(&vm->as).shared, shared);
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, resident);
	for (unsigned page = 0; page < PAGES; page++)
		check_page(page);
}

static void its_pages_are_mapped(void **state)
{
	(void)state;
	check_loaded(PAGES * PAGE_SIZE, 0);
	CHECK(!guest_file_has(vm, HPA(frames.raw - PAGE_SIZE)), "below");
	CHECK(!guest_file_has(vm, HPA(frames.raw + PAGES * PAGE_SIZE)), "above");
}

static void holes_are_left_out(void **state)
{
	(void)state;
	file.holes = holes;
	check_loaded((PAGES - 5) * PAGE_SIZE, 0);
}

static void of_a_copy_too(void **state)
{
	(void)state;
	file.holes = holes;
	file.frames = false;
	CHECK_ERR(guest_file_load(vm, &file, 0, file.size, GPA(AT)), ERR_OK);
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, (PAGES - 5) * PAGE_SIZE);
	CHECK(!guest_file_has(vm, frames), "it is copied");
}

/* A part that begins and ends within pages. */
static void a_part_of_it_is_loaded(void **state)
{
	static uint8_t back[7 * PAGE_SIZE], wanted[7 * PAGE_SIZE];

	(void)state;
	file.holes = holes;
	memset(wanted + 100, 0x44, sizeof(wanted) - 100);
	memset(wanted + PAGE_SIZE, 0, 3 * PAGE_SIZE);
	memset(wanted + sizeof(wanted) - 200, 0, 200);
	CHECK_ERR(guest_file_load(vm, &file, 2 * PAGE_SIZE + 100, sizeof(back) - 300, GPA(AT + 100)), ERR_OK);
	CHECK_ERR(addr_space_read(&vm->as, GPA(AT), back, sizeof(back)), ERR_OK);
	assert_memory_equal(back, wanted, sizeof(back));
	CHECK_EQ(addr_space_get_stats(&vm->as).shared, 2 * PAGE_SIZE);
}

static void what_is_unpacked_is_a_file_of_the_vms_too(void **state)
{
	struct guest_image packed = { .bytes = "head", .size = 4, .unpacked = &file };

	(void)state;
	file.holes = holes;
	vm->files[0] = &packed;
	check_loaded((PAGES - 5) * PAGE_SIZE, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_pages_are_mapped),
		TEST(holes_are_left_out),
		TEST(of_a_copy_too),
		TEST(a_part_of_it_is_loaded),
		TEST(what_is_unpacked_is_a_file_of_the_vms_too),
	};

	return cmocka_run_group_tests_name("guest files", tests, NULL, NULL);
}
