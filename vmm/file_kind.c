/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files by the bytes that they begin with. Sources: each format's own specification; Linux Documentation/arch/x86/boot.rst,
 * "The Real-Mode Kernel Header"; System V ABI, "ELF Header". tools/check-guest reads the tables, too.
 */
#include "vmm/file_kind.h"

#include <string.h>

struct file_kind {
	size_t offset;
	const char *magic;
	size_t length; /* of the magic */
	const char *what;
};

/* A row a line, as tools/check-guest reads them. */
/* clang-format off */
#define KIND(offset, magic, what) { offset, magic, sizeof(magic) - 1, what }

/* The first that fits counts. */
static const struct file_kind kinds[] = {
	KIND(0, "\x1f\x8b", "it is compressed by gzip: unpack it with gunzip"),
	KIND(0, "\x28\xb5\x2f\xfd", "it is compressed by zstd: unpack it with unzstd"),
	KIND(0, "\xfd""7zXZ\0", "it is compressed by xz: unpack it with unxz"),
	KIND(0, "BZh", "it is compressed by bzip2: unpack it with bunzip2"),
	KIND(0, "\x04\x22\x4d\x18", "it is compressed by lz4: unpack it with unlz4"),
	KIND(0, "\x02\x21\x4c\x18", "it is compressed by lz4: unpack it with unlz4"),
	KIND(0, "\x5d\0\0", "it is compressed by lzma: unpack it with unlzma"),
	KIND(0, "\x89LZO", "it is compressed by lzop: unpack it with lzop -d"),
	KIND(0, "PK\3\4", "it is a zip archive: unpack it with unzip"),
	KIND(0, "7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it"),
	KIND(257, "ustar", "it is a tar archive: unpack it with tar -xf"),
	KIND(0, "07070", "it is a cpio archive, an initial RAM disk perhaps: give a kernel or another program"),
	KIND(0, "\xc7\x71", "it is a cpio archive, an initial RAM disk perhaps: give a kernel or another program"),
	KIND(0, "!<arch>\n", "it is an archive, a library or a Debian package: give a linked program"),
	KIND(0, "!<thin>\n", "it is an archive, a library: give a linked program"),
	KIND(0, "BC\xc0\xde", "it is LLVM bitcode: compile and link it"),
	KIND(0x202, "HdrS", "it is a Linux bzImage, for x86-64"),
	KIND(4, "zimg", "it is an EFI application with a compressed kernel inside: give the kernel's Image"),
	KIND(56, "ARM\x64", "it is a Linux Image for AArch64"),
	KIND(56, "RSC\x05", "it is a Linux Image for RISC-V"),
	KIND(36, "\x18\x28\x6f\x01", "it is a Linux zImage for 32-bit Arm"),
	KIND(0, "\x27\x05\x19\x56", "it is an image for U-Boot: give what mkimage was given"),
	KIND(0, "\xd0\x0d\xfe\xed", "it is a device tree, or an image for U-Boot in the form of one: give a program"),
	KIND(0, "ANDROID!", "it is an Android boot image: give the kernel inside"),
	KIND(0, "MZ", "it is an EFI or Windows program (PE): give a static ELF64 executable"),
	KIND(0, "\xcf\xfa\xed\xfe", "it is a Mach-O program: link a static ELF64 executable"),
	KIND(0, "\0asm", "it is WebAssembly: give a static ELF64 executable"),
	KIND(0, "QFI\xfb", "it is a disk image (qcow2): give the program itself"),
	KIND(0, "hsqs", "it is a file system (squashfs): give the program itself"),
	KIND(512, "EFI PART", "it is a disk image: give the program itself"),
	KIND(32769, "CD001", "it is a disk image (ISO 9660): give the program itself"),
	KIND(510, "\x55\xaa", "it is a boot sector or a disk image: give the program itself"),
	KIND(0, "#!", "it is a script: give a static ELF64 executable"),
};

static const struct file_kind elf_kinds[] = {
	KIND(4, "\1", "it is a 32-bit ELF file: build it for 64 bits"),
	KIND(5, "\2", "it is a big-endian ELF file: build it for little-endian"),
	KIND(16, "\1\0", "it is an object file that is not linked yet, or a kernel module: link it (ld, or gcc -nostdlib -static)"),
	KIND(16, "\4\0", "it is a core dump: give the program itself"),
};

static const struct file_kind machines[] = {
	KIND(18, "\x3e\0", "x86-64"),
	KIND(18, "\xb7\0", "AArch64"),
	KIND(18, "\xf3\0", "RISC-V"),
	KIND(18, "\x03\0", "32-bit x86"),
	KIND(18, "\x28\0", "32-bit Arm"),
	KIND(18, "\x08\0", "MIPS"),
	KIND(18, "\x15\0", "64-bit PowerPC"),
	KIND(18, "\x16\0", "s390x"),
	KIND(18, "\x02\x01", "LoongArch"),
	KIND(18, "\xf7\0", "BPF"),
};
/* clang-format on */

static const char *find_kind(const struct file_kind *table, size_t count, const void *file, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		const struct file_kind *kind = &table[i];

		if (size >= kind->offset + kind->length &&
		    memcmp((const char *)file + kind->offset, kind->magic, kind->length) == 0)
			return kind->what;
	}
	return NULL;
}

/* As far as one looks: no byte that text does not have. */
static bool is_text(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size && i < 512; i++)
		if ((bytes[i] < ' ' && (bytes[i] < '\t' || bytes[i] > '\r')) || bytes[i] == 0x7f)
			return false;
	return true;
}

const char *file_kind_describe(const void *file, size_t size)
{
	const char *what = find_kind(kinds, ARRAY_LEN(kinds), file, size);

	if (what)
		return what;
	if (size == 0)
		return "it is empty";
	if (is_text(file, size))
		return "it is text: give a static ELF64 executable";
	return "it is not an ELF file: give a static ELF64 executable";
}

const char *file_kind_describe_elf(const void *file, size_t size)
{
	return find_kind(elf_kinds, ARRAY_LEN(elf_kinds), file, size);
}

const char *file_kind_machine(uint16_t machine)
{
	const unsigned char bytes[] = { (unsigned char)machine, (unsigned char)(machine >> 8) };

	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (memcmp(machines[i].magic, bytes, sizeof(bytes)) == 0)
			return machines[i].what;
	return "another machine";
}
