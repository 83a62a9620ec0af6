/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are no guest: each is called by its name, with a way out. */
#include "vmm/file_kind.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/host.h"

/* What each format's own tool writes first, at an offset. */
static const struct file {
	size_t offset;
	const char *bytes;
	size_t length;
	const char *words; /* in what is said */
} files[] = {
#define FILE_OF(offset, bytes, words)                   \
	{                                               \
		offset, bytes, sizeof(bytes) - 1, words \
	}
	FILE_OF(0, "\x1f\x8b\x08\0\0\0\0\0", "gunzip"),
	FILE_OF(0, "\x28\xb5\x2f\xfd\x04", "unzstd"),
	FILE_OF(0,
		"\xfd"
		"7zXZ\0\0\4",
		"unxz"),
	FILE_OF(0, "BZh91AY&SY", "bunzip2"),
	FILE_OF(0, "\x04\x22\x4d\x18\x64", "unlz4"),
	FILE_OF(0, "\x02\x21\x4c\x18", "unlz4"),
	FILE_OF(0, "\x5d\0\0\x80\0\xff\xff", "unlzma"),
	FILE_OF(0, "070701000002d1", "cpio"),
	FILE_OF(0, "\xc7\x71", "cpio"),
	FILE_OF(257,
		"ustar\0"
		"00",
		"tar -xf"),
	FILE_OF(0, "PK\3\4", "zip"),
	FILE_OF(0, "!<arch>\n", "archive"),
	FILE_OF(0x202, "HdrS", "bzImage"),
	FILE_OF(56, "ARM\x64", "AArch64"),
	FILE_OF(56, "RSC\x05", "RISC-V"),
	FILE_OF(0, "MZ", "EFI"),
	FILE_OF(0, "MZ\0\0zimg", "compressed kernel"),
	FILE_OF(0, "#!/bin/sh\n", "script"),
	FILE_OF(0, "\xd0\x0d\xfe\xed", "device tree"),
	FILE_OF(510, "\x55\xaa", "disk image"),
	FILE_OF(0, "\1\2\3", "not an ELF file"),
#undef FILE_OF
};

/* Of exactly this size, so that the sanitizer sees what is read beyond it. */
static const char *describe(const struct file *file, size_t size)
{
	char *bytes = calloc(1, size ? size : 1);
	const char *what;

	assert_non_null(bytes);
	for (size_t i = 0; i < file->length && file->offset + i < size; i++)
		bytes[file->offset + i] = file->bytes[i];
	what = file_kind_describe(bytes, size);
	CHECK(what && strncmp(what, "it is ", 6) == 0 && !strchr(what, '\n'), "%s", what);
	free(bytes);
	return what;
}

static void files_are_called_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *what = describe(&files[i], 40000);

		CHECK(strstr(what, files[i].words), "%s, and not \"%s\"", what, files[i].words);
		CHECK(strstr(describe(&files[i], files[i].offset + files[i].length), files[i].words), "%s", files[i].words);
	}
}

static void short_files_are_no_trouble(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		for (size_t size = 0; size < files[i].offset + files[i].length; size++)
			describe(&files[i], size);
}

static void text_and_nothing_are_told_apart(void **state)
{
	static const struct file text = { 0, "demo = lazy\r\n\t# a comment\n", 26, NULL };

	(void)state;
	CHECK(strstr(describe(&text, 26), "text"), "%s", describe(&text, 26));
	CHECK(!strstr(describe(&text, 27), "text"), "%s", describe(&text, 27)); /* a zero byte */
	assert_string_equal(describe(&text, 0), "it is empty");
}

static void elf_files_are_told_apart(void **state)
{
	static const struct {
		unsigned offset;
		unsigned char value;
		const char *words;
	} changes[] = {
		{ 4, 1, "32-bit" },
		{ 5, 2, "big-endian" },
		{ 16, 1, "link it" },
		{ 16, 4, "core dump" },
	};
	unsigned char header[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, [18] = 0x3e };

	(void)state;
	assert_null(file_kind_describe_elf(header, sizeof(header)));
	header[16] = 3;
	assert_null(file_kind_describe_elf(header, sizeof(header)));
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		unsigned char changed[64];

		memcpy(changed, header, sizeof(header));
		changed[changes[i].offset] = changes[i].value;
		CHECK(strstr(file_kind_describe_elf(changed, sizeof(changed)), changes[i].words), "%s", changes[i].words);
	}
	assert_string_equal(file_kind_machine(62), "x86-64");
	assert_string_equal(file_kind_machine(258), "LoongArch");
	assert_string_equal(file_kind_machine(0), "another machine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_called_by_name),
		cmocka_unit_test(short_files_are_no_trouble),
		cmocka_unit_test(text_and_nothing_are_told_apart),
		cmocka_unit_test(elf_files_are_told_apart),
	};

	return cmocka_run_group_tests_name("file_kind", tests, NULL, NULL);
}
