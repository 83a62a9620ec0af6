/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VMs get an unpacked kernel, whose memory is given back, and what is done without memory. */
#include "boot/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "boot/firmware.h"
#include "include/arch/virt.h"
#include "tests/host/host.h"

#define PAGES 20 /* of the unpacked kernel; those whose numbers are multiples of 3 are zeros */
#define USED  (PAGES * PAGE_SIZE - 100)
#define HEAD  50

static struct {
	unsigned left, live; /* allocations that still succeed; and those that there are */
	enum err err;        /* of unpacking */
	unsigned unpacked;   /* how often */
} fake;

void *firmware_alloc_pages(size_t pages)
{
	if (fake.left == 0)
		return NULL;
	fake.left--;
	fake.live++;
	return aligned_alloc(PAGE_SIZE, pages * PAGE_SIZE);
}

void *firmware_alloc_file(size_t size)
{
	return firmware_alloc_pages(size / PAGE_SIZE + 1);
}

void firmware_free_pages(const void *pages)
{
	CHECK(fake.live > 0, "of nothing");
	fake.live--;
	free((void *)(uintptr_t)pages);
}

static bool is(const void *file, size_t size)
{
	return size > HEAD && memcmp(file, "packed", 6) == 0;
}

static bool find_packed(const void *file, size_t size, struct packed_kernel *packed)
{
	*packed = (struct packed_kernel){
		.at = HEAD, .size = size - HEAD, .unpacked = PAGES * PAGE_SIZE, .work = 1000, .head = HEAD
	};
	return ((const char *)file)[HEAD] != 'x';
}

static enum err unpack(const void *file, const struct packed_kernel *packed, void *to, void *work, size_t *used)
{
	CHECK_EQ(packed->at, HEAD);
	CHECK(is(file, HEAD + 1), "another file");
	fake.unpacked++;
	memset(work, 1, packed->work);
	memset(to, 0x11, packed->unpacked);
	for (unsigned page = 0; page < PAGES; page += 3)
		memset((char *)to + page * PAGE_SIZE, 0, PAGE_SIZE);
	*used = USED;
	return fake.err;
}

const struct kernel_loader *arch_kernel_loader(const void *file, size_t size)
{
	static const struct kernel_loader loader = { .is = is, .find_packed = find_packed, .unpack = unpack };

	return is(file, size) ? &loader : NULL;
}

static struct machine machine;

static struct guest_image new_file(const char *text)
{
	char *bytes = firmware_alloc_pages(1);

	memset(bytes, 0, PAGE_SIZE);
	strcpy(bytes, text);
	return (struct guest_image){ .name = text, .bytes = bytes, .size = PAGE_SIZE };
}

/* Three VMs of one file. */
static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.left = 100;
	machine = (struct machine){ .vm = host_zeros(3 * sizeof(*machine.vm)), .count = 3 };
	machine.vm[0].image = new_file("packed");
	machine.vm[1].image = machine.vm[2].image = machine.vm[0].image;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(machine.vm);
	return 0;
}

static void check_unpacked(const struct guest_image *image)
{
	const struct guest_image *kernel = image->unpacked;
	const char *bytes;

	assert_non_null(kernel);
	CHECK_EQ(image->size, HEAD);
	CHECK(memcmp(image->bytes, "packed", 7) == 0, "the head");
	CHECK_EQ(kernel->size, USED);
	bytes = kernel->bytes;
	for (unsigned page = 0; page < PAGES; page++)
		CHECK_EQ(kernel->holes[page / 8] >> page % 8 & 1, page % 3 == 0);
	CHECK_EQ(bytes[USED - 1], 0x11);
	CHECK_EQ(bytes[USED], 0);
	CHECK_EQ(bytes[PAGES * PAGE_SIZE - 1], 0);
}

static void free_unpacked(struct guest_image *image)
{
	firmware_free_pages(image->unpacked->bytes);
	firmware_free_pages(image->unpacked);
}

static void one_is_for_all(void **state)
{
	(void)state;
	unpack_kernels(&machine);
	CHECK_EQ(fake.unpacked, 1);
	CHECK_EQ(fake.live, 2);
	for (unsigned i = 0; i < 3; i++)
		check_unpacked(&machine.vm[i].image);
	CHECK(machine.vm[0].image.unpacked == machine.vm[2].image.unpacked, "two of them");
	free_unpacked(&machine.vm[0].image);
}

static void who_does_not_want_it_keeps_the_file(void **state)
{
	const void *bytes = machine.vm[0].image.bytes;

	(void)state;
	machine.vm[1].options.packed = true;
	unpack_kernels(&machine);
	check_unpacked(&machine.vm[2].image);
	CHECK(machine.vm[1].image.bytes == bytes && !machine.vm[1].image.unpacked, "it is another");
	CHECK_EQ(fake.live, 3);
	free_unpacked(&machine.vm[0].image);
	firmware_free_pages(bytes);
}

static void a_disk_keeps_the_file(void **state)
{
	const void *bytes = machine.vm[0].image.bytes;

	(void)state;
	machine.vm[2].disk[1] = machine.vm[0].image;
	machine.vm[2].options.disks = 2;
	unpack_kernels(&machine);
	check_unpacked(&machine.vm[2].image);
	CHECK_EQ(fake.live, 3);
	free_unpacked(&machine.vm[0].image);
	firmware_free_pages(bytes);
}

static void check_left_alone(unsigned tries)
{
	const void *bytes = machine.vm[0].image.bytes;

	unpack_kernels(&machine);
	CHECK_EQ(fake.unpacked, tries);
	CHECK_EQ(fake.live, 1);
	for (unsigned i = 0; i < 3; i++)
		CHECK(machine.vm[i].image.bytes == bytes && !machine.vm[i].image.unpacked, "VM %u", i);
	CHECK_EQ(machine.vm[2].image.damaged, fake.err == ERR_CORRUPT);
	firmware_free_pages(bytes);
}

static void without_memory_the_guest_does_it(void **state)
{
	for (unsigned left = 0; left < 3; left++) {
		fake.left = left;
		check_left_alone(0);
		teardown(state);
		setup(state);
	}
	firmware_free_pages(machine.vm[0].image.bytes);
}

static void what_cannot_be_loaded_is_left_to_the_guest(void **state)
{
	(void)state;
	fake.err = ERR_UNSUPPORTED;
	check_left_alone(1);
}

static void what_is_damaged_is_noted(void **state)
{
	(void)state;
	fake.err = ERR_CORRUPT;
	check_left_alone(1);
}

static void what_is_not_packed_is_not_tried(void **state)
{
	(void)state;
	((char *)(uintptr_t)machine.vm[0].image.bytes)[HEAD] = 'x';
	check_left_alone(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_is_for_all),
		TEST(who_does_not_want_it_keeps_the_file),
		TEST(a_disk_keeps_the_file),
		TEST(without_memory_the_guest_does_it),
		TEST(what_cannot_be_loaded_is_left_to_the_guest),
		TEST(what_is_damaged_is_noted),
		TEST(what_is_not_packed_is_not_tried),
	};

	return cmocka_run_group_tests_name("unpacking", tests, NULL, NULL);
}
