/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that an image carries: found in its headers and by their names, and not where something is cut off. */
#include "boot/archive.h"

#include <stdio.h>
#include <string.h>

#include "tests/host/host.h"

enum { PE = 0x80, OPTIONAL = 0xf0, SECTIONS = PE + 24 + OPTIONAL, AT = 0x1000, SIZE = 0x2000 };

static char image[SIZE];

static void put(size_t at, uint32_t value, size_t size)
{
	memcpy(image + at, &value, size);
}

static void put_section(unsigned n, const char *name, uint32_t size, uint32_t address)
{
	const size_t at = SECTIONS + 40 * n;

	strncpy(image + at, name, 8);
	put(at + 8, size, 4);
	put(at + 12, address, 4);
}

/* At `at` of the archive; returns where the next one goes. */
static size_t put_file(size_t at, const char *name, const char *content)
{
	char *to = image + AT + at;
	const size_t name_size = strlen(name) + 1, size = strlen(content);

	sprintf(to, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1, 0100444, 0, 0, 1, 0, size, 0, 0, 0, 0,
		name_size, 0);
	memcpy(to + 110, name, name_size);
	memcpy(image + AT + align_up(at + 110 + name_size, 4), content, size);
	return align_up(align_up(at + 110 + name_size, 4) + size, 4);
}

/* Three files; returns the archive's size. */
static size_t make(void)
{
	size_t size;

	memset(image, 0, sizeof(image));
	put(0x3c, PE, 4);
	put(PE + 6, 2, 2);
	put(PE + 20, OPTIONAL, 2);
	size = put_file(0, "nestling.cfg", "guest = \\g");
	size = put_file(size, "Folder/g.elf", "program");
	size = put_file(size, "empty", "");
	put_section(0, ".text", 0x800, 0x400);
	put_section(1, ".files", (uint32_t)size, AT);
	return size;
}

static void expect(const struct archive *archive, const char *path, const char *content)
{
	size_t size;
	const char *found = archive_find(archive, path, &size);

	if (!content) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_int_equal(size, strlen(content));
	assert_memory_equal(found, content, size);
}

static void files_are_found(void **state)
{
	const size_t size = make();
	const struct archive archive = archive_of_image(image, sizeof(image));

	(void)state;
	assert_ptr_equal(archive.bytes, image + AT);
	assert_int_equal(archive.size, size);
	expect(&archive, "\\nestling.cfg", "guest = \\g");
	expect(&archive, "NESTLING.CFG", "guest = \\g");
	expect(&archive, "\\folder\\G.elf", "program");
	expect(&archive, "/Folder/g.elf", "program");
	expect(&archive, "empty", "");
	expect(&archive, "g.elf", NULL);
	expect(&archive, "Folder/g.el", NULL);
	expect(&archive, "Folder/g.elfs", NULL);
	expect(&archive, "", NULL);
}

static void others_have_none(void **state)
{
	struct archive archive;

	(void)state;
	make();
	put_section(1, ".data", 0x10, AT);
	archive = archive_of_image(image, sizeof(image));
	assert_int_equal(archive.size, 0);
	expect(&archive, "nestling.cfg", NULL);
	make();
	put_section(1, ".files", SIZE, AT); /* longer than what is loaded */
	assert_int_equal(archive_of_image(image, sizeof(image)).size, 0);
	make();
	put_section(1, ".files", 16, SIZE + 1);
	assert_int_equal(archive_of_image(image, sizeof(image)).size, 0);
	put(0x3c, ~0u, 4);
	assert_int_equal(archive_of_image(image, sizeof(image)).size, 0);
}

/* Whatever is cut off, nothing outside is read: the copies have just the bytes that are left. */
static void what_is_cut_off_is_not_read(void **state)
{
	const size_t size = make(), first = align_up(110 + sizeof("nestling.cfg"), 4) + strlen("guest = \\g");

	(void)state;
	for (size_t left = 0; left < AT; left++) {
		char *copy = memcpy(test_malloc(left + 1), image, left);

		assert_int_equal(archive_of_image(copy, left).size, 0);
		test_free(copy);
	}
	for (size_t left = 0; left < size; left++) {
		char *copy = memcpy(test_malloc(left + 1), image + AT, left);
		const struct archive archive = { copy, left };
		size_t found;

		assert_true((archive_find(&archive, "nestling.cfg", &found) != NULL) == (left >= first));
		assert_null(archive_find(&archive, "other", &found));
		test_free(copy);
	}
}

/* Numbers that are none, or larger than what there is. */
static void what_makes_no_sense_ends_it(void **state)
{
	static const char *const sizes[] = { "ffffffff", "0000000g", "        ", "00001000" };
	size_t size;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		for (unsigned field = 6; field <= 11; field += 5) {
			struct archive archive;

			size = make();
			memcpy(image + AT + 6 + 8 * field, sizes[i], 8);
			archive = (struct archive){ image + AT, size };
			expect(&archive, "nestling.cfg", NULL);
			expect(&archive, "empty", NULL);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_found),
		cmocka_unit_test(others_have_none),
		cmocka_unit_test(what_is_cut_off_is_not_read),
		cmocka_unit_test(what_makes_no_sense_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
