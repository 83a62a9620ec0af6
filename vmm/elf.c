/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF64 loader. Source: System V ABI, "Object Files"; every field of the file is taken for hostile. */
#include "vmm/elf.h"

#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"

enum {
	ELFCLASS64 = 2,
	ELFDATA2LSB = 1,
	ET_EXEC = 2,
	PT_LOAD = 1,
};

struct elf_header {
	uint8_t ident[16]; /* magic, class, data, ... */
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_segment) == 56, "the layout of the ABI");

struct elf_file {
	struct vm *vm;
	const char *bytes;
	size_t size;
	struct elf_header header;
	struct elf_segment load[ELF_MAX_SEGMENTS];
	unsigned loads;
	char *why;
	size_t why_size;
};

static enum err fail(struct elf_file *file, enum err err, const char *what)
{
	snprintf(file->why, file->why_size, "%s", what);
	return err;
}

static enum err fail_segment(struct elf_file *file, enum err err, const char *what)
{
	snprintf(file->why, file->why_size, "segment %u %s", file->loads, what);
	return err;
}

static enum err check_header(struct elf_file *file)
{
	static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F' };
	const struct elf_header *header = &file->header;

	if (file->size < sizeof(*header) || memcmp(file->bytes, magic, sizeof(magic)) != 0)
		return fail(file, ERR_CORRUPT, "it is not an ELF file");
	memcpy(&file->header, file->bytes, sizeof(*header));
	if (header->ident[4] != ELFCLASS64 || header->ident[5] != ELFDATA2LSB)
		return fail(file, ERR_UNSUPPORTED, "it is not a 64-bit little-endian ELF file");
	if (header->machine != arch_elf_machine())
		return fail(file, ERR_UNSUPPORTED, "it is for another machine");
	if (header->type != ET_EXEC)
		return fail(file, ERR_UNSUPPORTED, "it is not an executable at fixed addresses");
	if (header->phentsize != sizeof(struct elf_segment) || header->phnum == 0)
		return fail(file, ERR_CORRUPT, "it has no program headers");
	if (header->phoff > file->size || (file->size - header->phoff) / sizeof(struct elf_segment) < header->phnum)
		return fail(file, ERR_CORRUPT, "it is truncated: the program headers are not all there");
	return ERR_OK;
}

static bool overlaps(const struct elf_segment *a, const struct elf_segment *b)
{
	return a->paddr < b->paddr + b->memsz && b->paddr < a->paddr + a->memsz;
}

static enum err check_segment(struct elf_file *file, const struct elf_segment *segment)
{
	if (segment->filesz > segment->memsz)
		return fail_segment(file, ERR_CORRUPT, "has more bytes in the file than in memory");
	if (segment->offset > file->size || file->size - segment->offset < segment->filesz)
		return fail_segment(file, ERR_CORRUPT, "is truncated: its bytes are not all there");
	if (!vm_is_ram(file->vm, GPA(segment->paddr), segment->memsz))
		return fail_segment(file, ERR_RANGE, "lies outside guest RAM");
	if (segment->paddr < arch_guest_load_floor(file->vm).raw)
		return fail_segment(file, ERR_RANGE, "lies where the boot data goes");
	for (unsigned i = 0; i < file->loads; i++)
		if (overlaps(segment, &file->load[i]))
			return fail_segment(file, ERR_CORRUPT, "overlaps another one");
	return ERR_OK;
}

static enum err check_segments(struct elf_file *file)
{
	for (unsigned i = 0; i < file->header.phnum; i++) {
		struct elf_segment segment;
		enum err err;

		memcpy(&segment, file->bytes + file->header.phoff + i * sizeof(segment), sizeof(segment));
		if (segment.type != PT_LOAD || (segment.memsz | segment.filesz) == 0)
			continue;
		if (file->loads == ELF_MAX_SEGMENTS)
			return fail(file, ERR_UNSUPPORTED, "it has too many segments");
		err = check_segment(file, &segment);
		if (err != ERR_OK)
			return err;
		file->load[file->loads++] = segment;
	}
	return file->loads > 0 ? ERR_OK : fail(file, ERR_CORRUPT, "it has nothing to load");
}

/* The entry is a virtual address; the guest starts with memory mapped one to one, so it is where its segment is put. */
static enum err find_entry(struct elf_file *file, gpa_t *entry)
{
	for (unsigned i = 0; i < file->loads; i++) {
		const struct elf_segment *segment = &file->load[i];

		if (file->header.entry - segment->vaddr < segment->memsz && file->header.entry >= segment->vaddr) {
			*entry = GPA(segment->paddr + (file->header.entry - segment->vaddr));
			return ERR_OK;
		}
	}
	return fail(file, ERR_CORRUPT, "its entry point lies in none of its segments");
}

static enum err copy_segments(struct elf_file *file)
{
	for (unsigned i = 0; i < file->loads; i++) {
		const struct elf_segment *segment = &file->load[i];
		enum err err = addr_space_write(&file->vm->as, GPA(segment->paddr), file->bytes + segment->offset,
						segment->filesz);

		if (err != ERR_OK) {
			snprintf(file->why, file->why_size, "loading it failed: %s", err_name(err));
			return err;
		}
	}
	return ERR_OK;
}

enum err elf_load(struct vm *vm, const void *bytes, size_t size, gpa_t *entry, char *why, size_t why_size)
{
	struct elf_file file = { .vm = vm, .bytes = bytes, .size = size, .why = why, .why_size = why_size };
	enum err err = check_header(&file);

	if (err == ERR_OK)
		err = check_segments(&file);
	if (err == ERR_OK)
		err = find_entry(&file, entry);
	return err == ERR_OK ? copy_segments(&file) : err;
}
